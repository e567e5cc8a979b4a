import { html } from "../html.js";
import { pending } from "../store.js";
import { Scroll, Since } from "./parts.js";

/** Services without an address, and why: the cluster knows, the cloud does not. */
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
		return html`<p class="quiet">None: every Service has its address.</p>`;
	return html`
		<${Scroll} label="Services that wait, table">
			<table class="rows">
				<caption class="only-heard">Services that have no address yet, and why</caption>
				<thead><tr><th scope="col">Service</th><th scope="col">Why</th><th scope="col">Since</th></tr></thead>
				<tbody>
					${answer.services.map(
						(one) => html`
						<tr key=${`${one.namespace}/${one.name}`}>
							<th scope="row">${one.namespace}/${one.name}</th>
							<td><strong>${one.reason}</strong> ${one.message}</td>
							<td>${one.since !== null ? html`<${Since} at=${one.since} />` : html`<span class="quiet">not known</span>`}</td>
						</tr>
					`,
					)}
				</tbody>
			</table>
		<//>
	`;
}
