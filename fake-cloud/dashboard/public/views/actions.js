/** @import { LiveAction } from "../../../api/live.ts" */
import { useState } from "preact/hooks";
import { duration, some, words } from "../format.js";
import { html } from "../html.js";
import { serviceOf } from "../service.js";
import { view } from "../store.js";
import { Chip, Since } from "./parts.js";

const rowsShown = 12;

/** What the cloud is doing and did, newest first. */
export function Actions() {
	const [limit, setLimit] = useState(rowsShown);
	const actions = view.value?.actions ?? [];
	const rows = actions.slice(0, limit);
	return html`
		<section class="card" aria-labelledby="actions-title">
			<h2 id="actions-title">Actions</h2>
			${actions.length === 0 && html`<p class="quiet">None yet. Every change of a balancer is an action that takes its time.</p>`}
			<ol class="timeline">
				${rows.map((one) => html`<${Row} key=${one.id} action=${one} />`)}
			</ol>
			${
				actions.length > rows.length &&
				html`
				<button type="button" onClick=${() => setLimit(limit * 4)}>Show older: ${some(actions.length - rows.length, "action")}</button>
			`
			}
		</section>
	`;
}

const states = {
	running: "busy",
	success: "healthy",
	error: "unhealthy",
};

/** @param {{ action: LiveAction }} props */
function Row({ action }) {
	const name = `${words(action.command)}, action ${action.id}`;
	return html`
		<li class=${action.status} data-action=${action.id}>
			<div class="what">
				<span class="command-name">${words(action.command)}</span>
				<${Chip} status=${states[action.status]}>${action.stuck ? "stuck by a fault" : action.status}<//>
			</div>
			${
				action.status === "running" &&
				html`
				<div class="progress">
					<progress max="100" value=${action.progress} aria-label=${name}></progress>
					<span class="number">${action.progress} %</span>
				</div>
			`
			}
			${action.error && html`<div class="detail">${action.error.code}: ${action.error.message}</div>`}
			<div class="quiet small">
				${action.resources.map(resourceText).join(", ")}${" · "}<${Since} at=${action.started} />${action.finished !== null && `, took ${duration(Date.parse(action.finished) - Date.parse(action.started))}`}
			</div>
		</li>
	`;
}

/** @param {LiveAction["resources"][number]} resource */
function resourceText({ id, type }) {
	const known = view.value;
	const balancer =
		type === "load_balancer" ? known?.balancers.get(id) : undefined;
	if (balancer) return serviceOf(balancer) ?? balancer.name;
	const server = type === "server" ? known?.servers.get(id) : undefined;
	return server?.name ?? `${words(type)} ${id}`;
}
