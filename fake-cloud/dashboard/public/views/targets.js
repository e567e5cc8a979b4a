/** @import { LiveBalancer } from "../../../api/live.ts" */
import { bytes, count } from "../format.js";
import { healthOn, listenerKey, portName, targetName } from "../health.js";
import { html } from "../html.js";
import { Health, Scroll } from "./parts.js";

/** Every target and its health on every listener. @param {{ balancer: LiveBalancer }} props */
export function Targets({ balancer }) {
	const { listeners, targets } = balancer;
	if (targets.length === 0)
		return html`<p class="quiet">No target yet. Fairlead adds the cluster's nodes; by hand: <code>POST /v1/load_balancers/${balancer.id}/actions/add_target</code>.</p>`;
	return html`
		<${Scroll} label="Targets, table">
			<table class="rows">
				<caption class="only-heard">Targets of ${balancer.name}, with their health on each listener and traffic</caption>
				<thead>
					<tr>
						<th scope="col">Target</th>
						<th scope="col">Address</th>
						${listeners.map((one) => html`<th scope="col" key=${listenerKey(one)}>Health on ${portName(one)}</th>`)}
						<th scope="col" class="number">Open</th>
						<th scope="col" class="number">Total</th>
						<th scope="col" class="number">In</th>
						<th scope="col" class="number">Out</th>
					</tr>
				</thead>
				<tbody>
					${targets.map(
						(one) => html`
						<tr key=${one.key} data-target=${one.key}>
							<th scope="row" class="keep">${targetName(one)}${one.selector !== null && html`<div class="quiet small">by ${one.selector}</div>`}</th>
							<td class="mono">
								${one.address ?? html`<span class="quiet">none</span>`}
								${one.usePrivateAddress && html`<div class="quiet small">private network</div>`}
								${one.problem !== null && html`<div class="detail">${one.problem}</div>`}
							</td>
							${listeners.map((listener) => html`<td key=${listenerKey(listener)} data-port=${portName(listener)}><${Health} health=${healthOn(one, listener)} /></td>`)}
							<td class="number">${count(one.counters.open)}</td>
							<td class="number">${count(one.counters.total)}</td>
							<td class="number">${bytes(one.counters.bytesIn)}</td>
							<td class="number">${bytes(one.counters.bytesOut)}</td>
						</tr>
					`,
					)}
				</tbody>
			</table>
		<//>
	`;
}
