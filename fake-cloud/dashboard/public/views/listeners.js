/** @import { LiveBalancer, LiveListener } from "../../../api/live.ts" */
import { bytes, count } from "../format.js";
import { listenerKey } from "../health.js";
import { html } from "../html.js";
import { Chip, Scroll } from "./parts.js";

/** @param {{ balancer: LiveBalancer }} props */
export const Listeners = ({ balancer }) => html`
	<${Scroll} label="Listeners, table">
		<table class="rows">
			<caption class="only-heard">Listeners of ${balancer.name}, with their health check and traffic</caption>
			<thead>
				<tr>
					<th scope="col">Port</th>
					<th scope="col">To port</th>
					<th scope="col">State</th>
					<th scope="col">Health check</th>
					<th scope="col" class="number">Open</th>
					<th scope="col" class="number">Total</th>
					<th scope="col" class="number">Failed</th>
					<th scope="col" class="number">In</th>
					<th scope="col" class="number">Out</th>
				</tr>
			</thead>
			<tbody>
				${balancer.listeners.map(
					(one) => html`
					<tr key=${listenerKey(one)}>
						<th scope="row" class="mono">${one.protocol} ${one.port}</th>
						<td class="mono">${one.destinationPort}${one.proxyProtocol && html` <span class="tag">PROXY protocol</span>`}</td>
						<td>
							<${Chip} status=${one.state === "serving" ? "healthy" : "unhealthy"}>${one.state}<//>
							<div class="quiet small">by ${one.engine}</div>
							${one.reason && html`<div class="detail">${one.reason}</div>`}
						</td>
						<td class="prose">${checkText(one)}</td>
						<td class="number">${count(one.counters.open)}</td>
						<td class="number">${count(one.counters.total)}</td>
						<td class="number">${count(one.counters.failed)}</td>
						<td class="number">${bytes(one.counters.bytesIn)}</td>
						<td class="number">${bytes(one.counters.bytesOut)}</td>
					</tr>
				`,
				)}
			</tbody>
		</table>
	<//>
`;

/** @param {LiveListener} listener */
function checkText({ healthCheck: check }) {
	const what =
		check.protocol === "http"
			? `GET ${check.path ?? "/"} on port ${check.port}`
			: `connect to port ${check.port}`;
	return `${what}, every ${check.intervalSeconds} s`;
}
