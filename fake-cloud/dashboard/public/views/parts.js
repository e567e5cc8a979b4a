/**
 * Small things many views show.
 *
 * @import { LiveHealth } from "../../../api/live.ts"
 */
import { useState } from "preact/hooks";
import { ago } from "../format.js";
import { html } from "../html.js";
import { now } from "../store.js";

/** Shapes differ as well as colours and words. */
export const marks = {
	healthy: "●",
	unhealthy: "▲",
	unknown: "○",
	degraded: "◐",
	busy: "◌",
};

/** @param {{ status: keyof typeof marks, children?: unknown }} props */
export const Chip = ({ status, children }) => html`
	<span class=${`chip ${status}`}><span class="mark" aria-hidden="true">${marks[status]}</span><span>${children ?? status}</span></span>
`;

/** One target's health on one listener. @param {{ health: LiveHealth | undefined }} props */
export function Health({ health }) {
	if (health === undefined) return html`<span class="quiet">not checked</span>`;
	return html`
		<${Chip} status=${health.status} />
		<span class="since"> for <${Since} at=${health.since} bare /></span>
		${health.detail && health.status !== "healthy" && html`<div class="detail">${health.detail}</div>`}
	`;
}

/** How long ago, going on by itself. @param {{ at: string, bare?: boolean }} props */
export function Since({ at, bare }) {
	const text = ago(now.value - Date.parse(at));
	return html`<time datetime=${at} title=${at}>${bare ? text.replace(" ago", "") : text}</time>`;
}

/** A line to paste into a terminal. @param {{ text: string, label: string }} props */
export function Command({ text, label }) {
	const [said, say] = useState("Copy");
	const copy = async () => {
		try {
			await navigator.clipboard.writeText(text);
			say("Copied");
		} catch {
			// Browsers refuse it on an origin that is neither loopback nor TLS.
			say("Not allowed: select the line");
		}
	};
	return html`
		<div class="command">
			<code tabindex="0">${text}</code>
			<button type="button" aria-label=${`Copy: ${label}`} onClick=${copy}>${said}</button>
		</div>
	`;
}

/**
 * A table that scrolls sideways on its own where the screen is narrow; by keyboard too.
 *
 * @param {{ label: string, children?: unknown }} props
 */
export const Scroll = ({ label, children }) => html`
	<div class="scroll" role="region" aria-label=${label} tabindex="0">${children}</div>
`;

/** New connections a second, the last minute. @param {{ values: number[] }} props */
export function Spark({ values }) {
	const top = Math.max(1, ...values);
	const step = 120 / (values.length - 1);
	const points = values.map(
		(value, i) =>
			`${(i * step).toFixed(1)},${(23 - (value / top) * 20).toFixed(1)}`,
	);
	return html`
		<svg class="spark" viewBox="0 0 120 24" preserveAspectRatio="none" aria-hidden="true">
			<polygon points=${`0,24 ${points.join(" ")} 120,24`} />
			<polyline points=${points.join(" ")} />
		</svg>
	`;
}
