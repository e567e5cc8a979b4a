/** @import { ServicePath } from "../../services/service-path.ts" */
import { html } from "../html.js";
import { services } from "../store.js";
import { Scroll } from "./parts.js";

/** Every Service of the cluster: where it can be reached, and how many pods stand behind it. */
export function Services() {
	const known = services.value;
	if (known === null) return null;
	const all = [...known.values()].sort((a, b) =>
		nameOf(a).localeCompare(nameOf(b), "en", { numeric: true }),
	);
	return html`
		<section class="card" aria-labelledby="services-title">
			<h2 id="services-title">Services of the cluster</h2>
			<${Scroll} label="Services, table">
				<table class="rows">
					<thead>
						<tr><th scope="col">Service</th><th scope="col">Type</th><th scope="col">Addresses</th><th scope="col">Ports</th><th scope="col">Ready pods</th></tr>
					</thead>
					<tbody>${all.map((one) => html`<${Row} key=${nameOf(one)} service=${one} />`)}</tbody>
				</table>
			<//>
		</section>
	`;
}

/** @param {ServicePath} service */
const nameOf = ({ namespace, name }) => `${namespace}/${name}`;

/** @param {{ service: ServicePath }} props */
function Row({ service }) {
	const addresses =
		service.externalName === null
			? [...service.ingress, ...service.externalIPs, ...service.clusterIPs]
			: [`CNAME ${service.externalName}`];
	return html`
		<tr>
			<th scope="row">${nameOf(service)}</th>
			<td>${service.type}</td>
			<td>${addresses.join(", ") || "none (headless)"}</td>
			<td>${service.ports.map(portText).join(", ")}</td>
			<td>${service.externalName === null ? readyText(service) : ""}</td>
		</tr>
	`;
}

/** @param {ServicePath["ports"][number]} port */
const portText = ({ port, nodePort, protocol }) =>
	`${port}${nodePort === null ? "" : `:${nodePort}`}/${protocol}`;

/** Of the port that has the fewest. @param {ServicePath} service */
function readyText({ ports }) {
	const [least] = ports
		.map(({ endpoints }) => ({
			ready: endpoints.filter(({ state }) => state === "ready").length,
			all: endpoints.length,
		}))
		.sort((a, b) => a.ready - b.ready);
	return least === undefined ? "" : `${least.ready} of ${least.all}`;
}
