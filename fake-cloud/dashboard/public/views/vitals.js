import { count, perSecondText } from "../format.js";
import { healthyTargets } from "../health.js";
import { html } from "../html.js";
import { sum } from "../state.js";
import { balancers, now, view } from "../store.js";
import { rate } from "../traffic.js";

/** The whole cloud in one row of numbers. */
export function Vitals() {
	const known = view.value;
	if (known === null) return null;
	const all = balancers.value;
	const health = all.map(healthyTargets);
	const healthy = health.reduce((total, one) => total + one.healthy, 0);
	const targets = health.reduce((total, one) => total + one.all, 0);
	const carried = sum(all.map((one) => one.counters));
	const rates = [...known.traffic.values()].map((samples) =>
		rate(samples, "total", now.value),
	);
	const running = known.actions.filter((one) => one.status === "running");
	return html`
		<dl class="vitals">
			<${Vital} name="Balancers" value=${count(all.length)} />
			<${Vital} name="Healthy targets" value=${`${count(healthy)} / ${count(targets)}`} alert=${healthy < targets} />
			<${Vital} name="Open connections" value=${count(carried.open)} />
			<${Vital} name="New connections" value=${perSecondText(rates.reduce((total, one) => total + one, 0))} />
			<${Vital} name="Actions running" value=${count(running.length)} />
			<${Vital} name="Faults set" value=${count(known.faults.length)} alert=${known.faults.length > 0} />
		</dl>
	`;
}

/** @param {{ name: string, value: string, alert?: boolean }} props */
const Vital = ({ name, value, alert }) => html`
	<div class=${alert ? "vital alert" : "vital"}><dt>${name}</dt><dd>${value}</dd></div>
`;
