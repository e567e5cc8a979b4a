/** @import { LiveBalancer } from "../../../api/live.ts" */
import { useState } from "preact/hooks";
import { count, some, words } from "../format.js";
import { healthyTargets, listenerKey, overall } from "../health.js";
import { html } from "../html.js";
import { serviceOf } from "../service.js";
import { balancers, now, shown, view } from "../store.js";
import { perSecond } from "../traffic.js";
import { Chip, Scroll, Spark } from "./parts.js";

/** Rows a person can still look over; more on request. */
const rowsShown = 50;

/** All balancers, one a row. */
export function Balancers() {
	const [filter, setFilter] = useState("");
	const [limit, setLimit] = useState(rowsShown);
	const all = balancers.value;
	const wanted = filter.trim().toLowerCase();
	const found =
		wanted === "" ? all : all.filter((one) => mentions(one, wanted));
	const rows = found.slice(0, limit);
	return html`
		<section class="card" aria-labelledby="balancers-title">
			<div class="card-head">
				<h2 id="balancers-title">Balancers</h2>
				<label class="filter">
					<span>Filter</span>
					<input type="search" value=${filter} placeholder="name, Service or address" onInput=${(/** @type {InputEvent & { currentTarget: HTMLInputElement }} */ event) => setFilter(event.currentTarget.value)} />
				</label>
			</div>
			<${Scroll} label="Balancers, table">
				<table class="rows">
					<caption class="only-heard">Balancers, with their Service, addresses, listeners, health of targets and traffic. Choose one to see its path.</caption>
					<thead>
						<tr>
							<th scope="col">Service or name</th>
							<th scope="col">Targets</th>
							<th scope="col">Address</th>
							<th scope="col">Listeners</th>
							<th scope="col" class="wide">Algorithm</th>
							<th scope="col" class="number">Open</th>
							<th scope="col" class="wide">Last minute</th>
						</tr>
					</thead>
					<tbody>
						${rows.map((one) => html`<${Row} key=${one.id} balancer=${one} />`)}
					</tbody>
				</table>
			<//>
			${found.length === 0 && html`<p class="quiet">No balancer mentions “${filter}”.</p>`}
			${
				found.length > rows.length &&
				html`
				<button type="button" onClick=${() => setLimit(limit * 4)}>Show more: ${some(found.length - rows.length, "balancer")} not shown</button>
			`
			}
		</section>
	`;
}

/** @param {LiveBalancer} balancer @param {string} text Lower case. */
const mentions = (balancer, text) =>
	[
		balancer.name,
		serviceOf(balancer) ?? "",
		balancer.project,
		...balancer.addresses,
		...balancer.privateAddresses,
	].some((one) => one.toLowerCase().includes(text));

/** @param {{ balancer: LiveBalancer }} props */
function Row({ balancer }) {
	const service = serviceOf(balancer);
	const { healthy, all } = healthyTargets(balancer);
	const current = shown.value?.id === balancer.id;
	const addresses = [...balancer.addresses, ...balancer.privateAddresses];
	const samples = view.value?.traffic.get(balancer.id) ?? [];
	return html`
		<tr class=${current ? "current" : ""}>
			<th scope="row">
				<a href=${`#balancer-${balancer.id}`} aria-current=${current ? "true" : undefined} onClick=${reveal}>${service ?? balancer.name}</a>
				${service !== null && html`<div class="alias">${balancer.name}</div>`}
			</th>
			<td>${all === 0 ? html`<span class="quiet">none</span>` : html`<${Chip} status=${overall(balancer)}>${healthy} of ${all} healthy<//>`}</td>
			<td class="mono">${addresses.length > 0 ? addresses.map((one) => html`<div key=${one}>${one}</div>`) : html`<span class="quiet">none</span>`}</td>
			<td class="mono">${balancer.listeners.length > 0 ? balancer.listeners.map((one) => html`<div key=${listenerKey(one)}>${one.protocol} ${one.port}</div>`) : html`<span class="quiet">none</span>`}</td>
			<td class="wide">${words(balancer.algorithm)}</td>
			<td class="number">${count(balancer.counters.open)}</td>
			<td class="wide"><${Spark} values=${perSecond(samples, "total", now.value, 60)} /></td>
		</tr>
	`;
}

/** Brings the balancer just chosen into sight, for eyes and for the keyboard. */
function reveal() {
	// The fragment changes first, then the view: two turns of the loop.
	setTimeout(() =>
		requestAnimationFrame(() => {
			const title = document.getElementById("balancer-title");
			title?.focus({ preventScroll: true });
			title?.scrollIntoView({ block: "nearest" });
		}),
	);
}
