/** @import { Fault, FaultEffect, LiveFault } from "../../../api/live.ts" */
import { useRef, useState } from "preact/hooks";
import { putFaults } from "../cloud.js";
import { draft, kinds } from "../fault-draft.js";
import { asPut } from "../faults.js";
import { html } from "../html.js";
import { view } from "../store.js";

/** @typedef {{ name: string, label: string, value?: string, hint?: string, number?: boolean }} Field */

/** What each kind of fault asks for. @type {Partial<Record<FaultEffect["kind"], Field[]>>} */
const fieldsOf = {
	latency: [
		{ name: "ms", label: "Wait, ms", value: "800", number: true },
		{ name: "jitterMs", label: "and up to, ms more", number: true },
	],
	error: [
		{ name: "status", label: "Status", value: "503", number: true },
		{ name: "code", label: "Code", hint: "the cloud's own" },
		{ name: "message", label: "Message" },
		{ name: "retryAfterSeconds", label: "Retry after, s", number: true },
	],
	garbage: [{ name: "body", label: "Body", hint: "half a JSON document" }],
	"action-failed": [
		{ name: "code", label: "Code" },
		{ name: "message", label: "Message" },
	],
	quota: [{ name: "limit", label: "At most", value: "1", number: true }],
};

const resources = ["load_balancer", "server", "network"];
const methods = ["GET", "POST", "PUT", "DELETE"];

/** @param {{ faults: readonly LiveFault[] }} props Those there are: the new one comes after them. */
export function FaultForm({ faults }) {
	const form = useRef(/** @type {HTMLFormElement | null} */ (null));
	const [kind, setKind] = useState(
		/** @type {FaultEffect["kind"]} */ ("latency"),
	);
	const [wrong, setWrong] = useState({ field: "", message: "" });
	const [sending, setSending] = useState(false);
	const submit = async (/** @type {SubmitEvent} */ event) => {
		event.preventDefault();
		if (form.current === null || sending) return;
		const drafted = draft(new FormData(form.current));
		if (!drafted.ok) {
			setWrong(drafted);
			const field = form.current.elements.namedItem(drafted.field);
			if (field instanceof HTMLElement) focusIn(field);
			return;
		}
		setSending(true);
		setWrong({ field: "", message: await add(faults, drafted.fault) });
		setSending(false);
	};
	const project = view.value?.projects ?? [];
	return html`
		<form class="fault-form" ref=${form} noValidate onSubmit=${submit} aria-labelledby="fault-form-title">
			<h3 id="fault-form-title">Add a fault</h3>
			<div class="field"><label>
				<span>What goes wrong</span>
				<select name="kind" value=${kind} onChange=${(/** @type {Event & { currentTarget: HTMLSelectElement }} */ event) => setKind(/** @type {FaultEffect["kind"]} */ (event.currentTarget.value))}>
					${kinds.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}
				</select>
			</label></div>
			<div class="fields" key=${kind}>
				${kind === "quota" && html`<${Choice} name="resource" label="Resource" options=${resources} />`}
				${(fieldsOf[kind] ?? []).map((field) => html`<${Text} key=${field.name} ...${field} wrong=${wrong} />`)}
			</div>
			<details open=${detailed.has(wrong.field) || undefined}>
				<summary>Which requests, how often</summary>
				<div class="fields">
					<${Choice} name="method" label="Method" options=${methods} any />
					<${Text} name="path" label="Path matches" hint="/load_balancers" wrong=${wrong} />
					${project.length > 1 && html`<${Choice} name="project" label="Project" options=${project} any />`}
					<${Text} name="after" label="Skip the first" hint="0" number wrong=${wrong} />
					<${Text} name="count" label="Then so often" hint="for ever" number wrong=${wrong} />
					<${Text} name="probability" label="Chance, %" hint="100" number wrong=${wrong} />
				</div>
			</details>
			${wrong.field === "" && wrong.message && html`<p class="detail" role="alert">${wrong.message}</p>`}
			<button type="submit" class="primary" aria-disabled=${sending ? "true" : undefined}>Add fault</button>
		</form>
	`;
}

/** Fields that stand in the part that is closed at first. */
const detailed = new Set(["path", "after", "count", "probability"]);

/** @param {HTMLElement} field */
function focusIn(field) {
	const details = field.closest("details");
	if (details) details.open = true;
	field.focus();
}

/** @param {readonly LiveFault[]} faults @param {Fault} fault @returns {Promise<string>} What the cloud said against it. */
async function add(faults, fault) {
	try {
		await putFaults([...faults.map(asPut), fault]);
		return "";
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
}

/** @param {Field & { wrong: { field: string, message: string } }} props */
function Text({ name, label, value, hint, number, wrong }) {
	const bad = wrong.field === name;
	return html`
		<div class="field">
			<label>
				<span>${label}</span>
				<input name=${name} defaultValue=${value} placeholder=${hint} autocomplete="off" inputmode=${number ? "numeric" : undefined} aria-invalid=${bad ? "true" : undefined} aria-describedby=${bad ? `wrong-${name}` : undefined} />
			</label>
			${bad && html`<span class="detail" id=${`wrong-${name}`}>${wrong.message}</span>`}
		</div>
	`;
}

/** @param {{ name: string, label: string, options: readonly string[], any?: boolean }} props */
const Choice = ({ name, label, options, any }) => html`
	<div class="field">
		<label>
			<span>${label}</span>
			<select name=${name}>
				${any && html`<option value="">any</option>`}
				${options.map((one) => html`<option key=${one} value=${one}>${one.replaceAll("_", " ")}</option>`)}
			</select>
		</label>
	</div>
`;
