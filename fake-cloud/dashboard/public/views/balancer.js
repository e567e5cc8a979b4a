/** @import { LiveBalancer, LiveListener } from "../../../api/live.ts" */
import { useState } from "preact/hooks";
import { addressAndPort, bytes, count, words } from "../format.js";
import { listenerKey } from "../health.js";
import { html } from "../html.js";
import { serviceOf } from "../service.js";
import { view } from "../store.js";
import { Listeners } from "./listeners.js";
import { Command, Since } from "./parts.js";
import { PathOf } from "./path.js";
import { Targets } from "./targets.js";

/** One balancer in full. @param {{ balancer: LiveBalancer }} props */
export function Balancer({ balancer }) {
	const [chosen, choose] = useState("");
	const service = serviceOf(balancer);
	const listener =
		balancer.listeners.find((one) => listenerKey(one) === chosen) ??
		balancer.listeners[0];
	return html`
		<section class="card" aria-labelledby="balancer-title" data-balancer=${balancer.id}>
			<div class="card-head">
				<h2 id="balancer-title" tabindex="-1">${service ?? balancer.name}</h2>
				${balancer.lockedBy !== null && html`<span class="tag">locked by action ${balancer.lockedBy}</span>`}
				${balancer.protected && html`<span class="tag">protected from deletion</span>`}
			</div>
			<dl class="facts">
				<${Fact} name="Balancer">${balancer.name} <span class="quiet">#${balancer.id}</span><//>
				${service !== null && html`<${Fact} name="Service">${service}<//>`}
				<${Fact} name="Algorithm">${words(balancer.algorithm)}<//>
				<${Fact} name="Engine">${balancer.engine}<//>
				<${Fact} name="Type">${balancer.type} in ${balancer.location}<//>
				<${Fact} name="Project">${balancer.project}<//>
				<${Fact} name="Made"><${Since} at=${balancer.created} /><//>
				<${Fact} name="Carried">${count(balancer.counters.total)} connections, ${bytes(balancer.counters.bytesIn)} in, ${bytes(balancer.counters.bytesOut)} out<//>
			</dl>
			${
				listener === undefined
					? html`<p class="quiet">No listener yet: nothing can connect. Each port of the Service becomes one.</p>`
					: html`
					<h3>Path of a packet</h3>
					${
						balancer.listeners.length > 1 &&
						html`
						<fieldset class="ports">
							<legend class="only-heard">Listener whose path is drawn</legend>
							${balancer.listeners.map(
								(one) => html`
								<label key=${listenerKey(one)}>
									<input type="radio" name="path-port" value=${listenerKey(one)} checked=${one === listener} onChange=${() => choose(listenerKey(one))} />
									<span>${one.protocol} ${one.port}</span>
								</label>
							`,
							)}
						</fieldset>
					`
					}
					<${PathOf} balancer=${balancer} listener=${listener} />
					<${TryIt} balancer=${balancer} listener=${listener} />
					<h3 id="listeners-title">Listeners</h3>
					<${Listeners} balancer=${balancer} />
				`
			}
			<h3 id="targets-title">Targets</h3>
			<${Targets} balancer=${balancer} />
		</section>
	`;
}

/** @param {{ name: string, children?: unknown }} props */
const Fact = ({ name, children }) =>
	html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

/** The line that sends a request down the path drawn. @param {{ balancer: LiveBalancer, listener: LiveListener }} props */
function TryIt({ balancer, listener }) {
	const engine = view.value?.engine;
	const address = balancer.addresses[0];
	const udp = listener.transport === "udp";
	if (engine === undefined || address === undefined || udp) return null;
	const door =
		engine.reach === "dial" && engine.door !== null
			? `-x socks5h://${engine.door} `
			: "";
	const scheme = listener.protocol === "https" ? "https" : "http";
	return html`<${Command} label="send a request down this path" text=${`curl ${door}${scheme}://${addressAndPort(address, listener.port)}/`} />`;
}
