/** @import { LiveFault } from "../../../api/live.ts" */
import { useRef, useState } from "preact/hooks";
import { clearFaults, removeFault } from "../cloud.js";
import { effectText, matchText, scheduleText } from "../faults.js";
import { some } from "../format.js";
import { html } from "../html.js";
import { view } from "../store.js";
import { FaultForm } from "./fault-form.js";

/** What goes wrong on purpose: lists, adds, takes away. */
export function Faults() {
	const faults = view.value?.faults ?? [];
	const [problem, setProblem] = useState("");
	const title = useRef(/** @type {HTMLElement | null} */ (null));
	/** @param {() => Promise<unknown>} change The button that asked may be gone after it: focus must not be lost. */
	const change = async (change) => {
		try {
			await change();
			setProblem("");
			title.current?.focus({ preventScroll: true });
		} catch (error) {
			setProblem(error instanceof Error ? error.message : String(error));
		}
	};
	return html`
		<section class="card" aria-labelledby="faults-title">
			<div class="card-head">
				<h2 id="faults-title" tabindex="-1" ref=${title}>Faults</h2>
				${faults.length > 0 && html`<button type="button" onClick=${() => change(clearFaults)}>Clear all</button>`}
			</div>
			${faults.length === 0 && html`<p class="quiet">None: the cloud does what it is asked.</p>`}
			<ul class="faults">
				${faults.map((one) => html`<${Row} key=${one.id} fault=${one} onRemove=${() => change(() => removeFault(one.id ?? ""))} />`)}
			</ul>
			${problem && html`<p class="detail" role="alert">${problem}</p>`}
			<${FaultForm} faults=${faults} />
		</section>
	`;
}

/** @param {{ fault: LiveFault, onRemove: () => void }} props */
function Row({ fault, onRemove }) {
	const schedule = scheduleText(fault);
	return html`
		<li data-fault=${fault.id}>
			<div>
				<strong>${effectText(fault.effect)}</strong>
				<div class="quiet small">${matchText(fault)}${schedule && `, ${schedule}`} · <span class="number">${some(fault.hits, "hit")}</span></div>
			</div>
			<button type="button" aria-label=${`Remove: ${effectText(fault.effect)}`} onClick=${onRemove}>Remove</button>
		</li>
	`;
}
