/** @import { Hop, Path } from "./path.js" */
import { listenerKey } from "./health.js";

/**
 * @typedef {object} Box
 * @property {string} id
 * @property {"address" | "listener" | "target" | "pod" | "more"} kind
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {string} title
 * @property {string} note
 * @property {Hop | null} hop
 */

/**
 * @typedef {object} Edge
 * @property {string} id
 * @property {string} d An SVG path.
 * @property {Hop | null} hop The target or pod it leads to.
 */

/** @typedef {{ width: number, height: number, boxes: Box[], edges: Edge[] }} Drawing */

export const boxHeight = 46;
const gap = 12;
/** Narrower than this, the path runs down the page instead of across it. */
const wideEnough = 600;
const wideEnoughForPods = 720;
/** More targets or pods than these are left to the tables. */
const drawn = 8;

/**
 * Where everything of a path stands in a drawing so many pixels wide.
 *
 * @param {Path} path
 * @param {number} width
 * @returns {Drawing}
 */
export function layOut(path, width) {
	const enough = path.pods === null ? wideEnough : wideEnoughForPods;
	return width >= enough ? across(path, width) : down(path, width);
}

/** Shares of the width that columns take, the spaces between them apart. */
const shares = { nodes: [0.29, 0.31, 0.4], pods: [0.19, 0.21, 0.27, 0.33] };

/** @param {Path} path @param {number} width @returns {Drawing} */
function across(path, width) {
	const share = path.pods === null ? shares.nodes : shares.pods;
	const space = Math.max(
		28,
		Math.min(110, (width * 0.18) / (share.length - 1)),
	);
	const inner = width - space * (share.length - 1);
	const columns = [entriesOf(path), [gateOf(path)], endsOf(path), podsOf(path)];
	const rows = Math.max(...columns.map((column) => column.length));
	const height = rows * boxHeight + (rows - 1) * gap;
	let x = 0;
	const [left = [], [middle] = [], right = [], last = []] = share.map(
		(part, index) => {
			const boxes = columns[index] ?? [];
			const tall = boxes.length * boxHeight + (boxes.length - 1) * gap;
			const placed = boxes.map((box, i) => ({
				...box,
				x,
				y: (height - tall) / 2 + i * (boxHeight + gap),
				width: inner * part,
			}));
			x += inner * part + space;
			return placed;
		},
	);
	if (middle === undefined) return { width, height, boxes: [], edges: [] };
	return {
		width,
		height,
		boxes: [...left, middle, ...right, ...last],
		edges: [
			...left.map((box) => ({
				id: box.id,
				d: curve(endOf(box), startOf(middle)),
				hop: null,
			})),
			...right.map((box) => ({
				id: box.id,
				d: curve(endOf(middle), startOf(box)),
				hop: box.hop,
			})),
			...last.flatMap((pod) =>
				right
					.filter(({ hop }) => leadsTo(hop, pod.hop))
					.map((node) => ({
						id: `${node.id} ${pod.id}`,
						d: curve(endOf(node), startOf(pod)),
						hop: node.hop?.carries ? pod.hop : node.hop,
					})),
			),
		],
	};
}

/** @param {Hop | null} node @param {Hop | null} pod */
const leadsTo = (node, pod) =>
	node !== null &&
	pod !== null &&
	"from" in pod &&
	/** @type {string[]} */ (pod.from).includes(node.key);

/** @param {Path} path @param {number} width @returns {Drawing} */
function down(path, width) {
	const inset = 28;
	let y = 0;
	/** @param {Omit<Box, "x" | "y" | "width">} box @param {number} x @returns {Box} */
	const place = (box, x) => {
		const placed = { ...box, x, y, width: width - x };
		y += boxHeight + gap;
		return placed;
	};
	const left = entriesOf(path).map((box) => place(box, 0));
	y += gap;
	const middle = place(gateOf(path), 0);
	y += gap;
	const right = endsOf(path).map((box) => place(box, inset));
	const ends = podsOf(path);
	if (ends.length > 0) y += gap;
	const pods = ends.map((box) => place(box, 2 * inset));
	const last = left.at(-1);
	const bottom = right.at(-1);
	const trunk = inset / 2;
	return {
		width,
		height: y - gap,
		boxes: [...left, middle, ...right, ...pods],
		edges: [
			...(last
				? [
						{
							id: last.id,
							d: `M${trunk} ${last.y + boxHeight}V${middle.y}`,
							hop: null,
						},
					]
				: []),
			...right.map((box) => ({
				id: box.id,
				d: branch(trunk, middle, box),
				hop: box.hop,
			})),
			...(bottom
				? pods.map((box) => ({
						id: box.id,
						d: branch(inset + trunk, bottom, box),
						hop: box.hop,
					}))
				: []),
		],
	};
}

/** From below one box down a trunk and into the side of another. @param {number} trunk @param {Box} from @param {Box} to */
const branch = (trunk, from, to) =>
	`M${trunk} ${from.y + boxHeight}V${to.y + boxHeight / 2 - 8}q0 8 8 8H${to.x}`;

/** @param {Path} path @returns {Omit<Box, "x" | "y" | "width">[]} */
function entriesOf({ addresses }) {
	if (addresses.length === 0)
		return [
			{
				id: "address-none",
				kind: "more",
				title: "no address",
				note: "public interface off",
				hop: null,
			},
		];
	return addresses.map((address) => ({
		id: `address-${address}`,
		kind: "address",
		title: address,
		note: address.includes(":") ? "IPv6 address" : "IPv4 address",
		hop: null,
	}));
}

/** @param {Path} path @returns {Omit<Box, "x" | "y" | "width">} */
function gateOf({ listener }) {
	const proxy = listener.proxyProtocol ? ", PROXY protocol" : "";
	return {
		id: `listener-${listenerKey(listener)}`,
		kind: "listener",
		title: `${listener.protocol} ${listener.port} → ${listener.destinationPort}`,
		note: `listener ${listener.state}, ${listener.engine}${proxy}`,
		hop: null,
	};
}

/** @param {Path} path @returns {Omit<Box, "x" | "y" | "width">[]} */
function endsOf({ hops }) {
	if (hops.length === 0)
		return [
			{
				id: "target-none",
				kind: "more",
				title: "no targets",
				note: "nodes are added as targets",
				hop: null,
			},
		];
	return shortened(hops, "target", "in the table of targets");
}

/** @param {Path} path @returns {Omit<Box, "x" | "y" | "width">[]} */
function podsOf({ pods }) {
	if (pods === null) return [];
	if (pods.length === 0)
		return [
			{
				id: "pod-none",
				kind: "more",
				title: "no pods",
				note: "the selector matches none",
				hop: null,
			},
		];
	return shortened(pods, "pod", "in the table of Services");
}

/**
 * @param {readonly Hop[]} hops
 * @param {"target" | "pod"} kind
 * @param {string} where
 * @returns {Omit<Box, "x" | "y" | "width">[]}
 */
function shortened(hops, kind, where) {
	const more = hops.length - drawn;
	/** @type {Omit<Box, "x" | "y" | "width">[]} */
	const boxes = hops.slice(0, drawn).map((hop) => ({
		id: `${kind}-${hop.key}`,
		kind,
		title: hop.name,
		note: hop.to ?? hop.problem ?? "no address",
		hop,
	}));
	if (more > 0)
		boxes.push({
			id: `${kind}-more`,
			kind: "more",
			title: `and ${more} more`,
			note: where,
			hop: null,
		});
	return boxes;
}

/** @param {Box} box */
const endOf = (box) => ({ x: box.x + box.width, y: box.y + boxHeight / 2 });
/** @param {Box} box */
const startOf = (box) => ({ x: box.x, y: box.y + boxHeight / 2 });

/** @param {{ x: number, y: number }} from @param {{ x: number, y: number }} to */
function curve(from, to) {
	const bend = (to.x - from.x) / 2;
	return `M${round(from.x)} ${round(from.y)}C${round(from.x + bend)} ${round(from.y)} ${round(to.x - bend)} ${round(to.y)} ${round(to.x)} ${round(to.y)}`;
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;

/**
 * Text that fits so many pixels in the drawing's monospaced 13 px type, cut in the middle: both ends of an address or
 * a node name tell.
 *
 * @param {string} text
 * @param {number} pixels
 */
export function fit(text, pixels) {
	const room = Math.max(4, Math.floor(pixels / 7.9));
	if (text.length <= room) return text;
	const head = Math.ceil((room - 1) / 2);
	return `${text.slice(0, head)}…${text.slice(text.length - (room - 1 - head))}`;
}
