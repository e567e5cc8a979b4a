/**
 * @import { LiveBalancer, LiveListener } from "../../../api/live.ts"
 * @import { Box, Edge } from "../path-layout.js"
 */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "../html.js";
import { pathSentence, pathThrough } from "../path.js";
import { boxHeight, fit, layOut } from "../path-layout.js";
import { servicePathOf } from "../store.js";
import { marks } from "./parts.js";

/**
 * The way of a packet, drawn from the address to the nodes and, where the cluster is known, to the pods. The sentence below says the same, and so does the table of
 * targets; a screen reader gets the sentence.
 *
 * @param {{ balancer: LiveBalancer, listener: LiveListener }} props
 */
export function PathOf({ balancer, listener }) {
	const frame = useRef(/** @type {HTMLElement | null} */ (null));
	const [width, setWidth] = useState(0);
	useLayoutEffect(() => {
		const element = frame.current;
		if (element === null) return undefined;
		setWidth(element.clientWidth);
		const observer = new ResizeObserver(() => setWidth(element.clientWidth));
		observer.observe(element);
		return () => observer.disconnect();
	}, []);
	const path = pathThrough(balancer, listener, servicePathOf(balancer));
	const drawing = layOut(path, width - 2);
	return html`
		<figure class="path" ref=${frame}>
			${
				width > 0 &&
				html`
				<svg width=${drawing.width} height=${drawing.height + 2} viewBox=${`-1 -1 ${drawing.width + 2} ${drawing.height + 2}`} role="img" aria-labelledby="path-sentence">
					${drawing.edges.map((edge) => html`<${Line} key=${edge.id} edge=${edge} />`)}
					${drawing.boxes.map((box) => html`<${Place} key=${box.id} box=${box} />`)}
				</svg>
			`
			}
			<figcaption id="path-sentence">${pathSentence(balancer, path)}</figcaption>
		</figure>
	`;
}

/** @param {{ edge: Edge }} props */
function Line({ edge: { d, hop } }) {
	const state = hop === null ? "entry" : hop.status;
	const classes = [
		"edge",
		state,
		hop !== null && !hop.carries ? "idle" : "",
		hop?.carries && hop.busy ? "flowing" : "",
	];
	return html`<path class=${classes.join(" ")} d=${d} />`;
}

/** @param {{ box: Box }} props */
function Place({ box }) {
	const { hop } = box;
	const status = hop?.status;
	const label = status === undefined ? "" : `${marks[status]} ${hop?.word}`;
	const room = box.width - 24 - (label === "" ? 0 : label.length * 7 + 12);
	return html`
		<g class=${`box ${box.kind} ${status ?? ""}`} transform=${`translate(${box.x} ${box.y})`}>
			<title>${[box.title, box.note, hop?.word].filter(Boolean).join(", ")}</title>
			<rect width=${box.width} height=${boxHeight} rx="8" />
			<text class="title" x="12" y="20">${fit(box.title, room)}</text>
			<text class="note" x="12" y="36">${fit(box.note, (box.width - 24) * 1.1)}</text>
			${label && html`<text class="status" x=${box.width - 12} y="20" text-anchor="end">${label}</text>`}
		</g>
	`;
}
