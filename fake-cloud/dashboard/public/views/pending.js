/**
 * @import { PendingService } from "../../pending.ts"
 */
import { html } from "../html.js";
import { pending } from "../store.js";
import { Scroll, Since } from "./parts.js";

/** Services that are not served, and why: the cluster knows, the cloud does not. */
export function Pending() {
	return html`
		<section class="card" aria-labelledby="pending-title">
			<h2 id="pending-title">Services that wait</h2>
			<${Answer} />
		</section>
	`;
}

function Answer() {
	const answer = pending.value;
	if (answer === null) return html`<p class="quiet">Asking…</p>`;
	if (answer instanceof Error)
		return html`<p class="detail">The cluster could not be asked: ${answer.message}</p>`;
	if (!answer.known)
		return html`<p class="quiet">This cloud knows no cluster, so it cannot say which Services wait and why: start it with <code>--kubeconfig FILE</code>.</p>`;
	if (answer.services.length === 0)
		return html`<p class="quiet">None: every Service has its address, and endpoints behind it.</p>`;
	return html`
		<${Scroll} label="Services that wait, table">
			<table class="rows">
				<caption class="only-heard">Services that are not served, and why</caption>
				<thead><tr><th scope="col">Service</th><th scope="col">Why</th><th scope="col">Since</th></tr></thead>
				<tbody>
					${answer.services.map(
						(one) => html`
						<tr key=${`${one.namespace}/${one.name}`}>
							<th scope="row">${one.namespace}/${one.name}</th>
							<td class="wide"><strong>${one.reason}</strong> ${one.message}<${Details} of=${one} /></td>
							<td>${one.since !== null ? html`<${Since} at=${one.since} />` : html`<span class="quiet">not known</span>`}</td>
						</tr>
					`,
					)}
				</tbody>
			</table>
		<//>
	`;
}

/** The way to an address, and who could give one: opened by who wants to know. @param {{ of: PendingService }} props */
function Details({ of: one }) {
	return html`
		<details class="explained">
			<summary>Steps, pools and classes<span class="only-heard"> of ${one.namespace}/${one.name}</span></summary>
			<${List} title="Steps" rows=${one.steps.map(({ step, state, reason, message }) => [step, state, `${reason}: ${message}`])} />
			<${List} title="Pools" rows=${one.pools.map(({ pool, verdict, why }) => [pool, verdict, why])} />
			<${List} title="Classes" rows=${one.classes.map(({ class: name, provider, verdict, why }) => [name, verdict, `${why} (${provider})`])} />
			${one.advice.length > 0 && html`<h3>What to do</h3><ul>${one.advice.map((each) => html`<li key=${each}>${each}</li>`)}</ul>`}
		</details>
	`;
}

/** @param {{ title: string, rows: string[][] }} props */
function List({ title, rows }) {
	if (rows.length === 0) return null;
	return html`
		<h3>${title}</h3>
		<ul>
			${rows.map(([name, verdict, why]) => html`<li key=${name}><strong>${name}</strong> <span class="quiet">${verdict}</span> ${why}</li>`)}
		</ul>
	`;
}
