import type { Service } from "../../api/core.ts";
import { group, groupVersion } from "../../api/names.ts";
import {
	commonRange,
	inRange,
	type PortRange,
	staticBand,
	withoutRanges,
} from "./port-range.ts";

/**
 * Services without pods that hold ports of a pool outside the static band, so that the API server gives them to nobody
 * else. Each covers a fixed block of ports, whatever is free in it: a change concerns one of them. No proxy programs
 * them: label service.kubernetes.io/service-proxy-name hands them to a proxy that does not exist (KEP-2447), so a
 * connection to such a port meets what it would meet anyway.
 */

/** Ports in one placeholder. The API server sets no limit; a block of this many is a 25 KB object. */
const blockSize = 256;

export const placeholderLabels = {
	component: "fairlead.dev/component",
	componentValue: "node-port-placeholder",
	pool: `${group}/node-port-pool`,
	proxy: "service.kubernetes.io/service-proxy-name",
	proxyValue: "nobody.fairlead.dev",
} as const;

export function isPlaceholder({ metadata }: Service): boolean {
	return (
		metadata.labels?.[placeholderLabels.component] ===
		placeholderLabels.componentValue
	);
}

/** One block of a pool's ports. */
export interface Block {
	pool: string;
	/** Name of the placeholder Service. */
	name: string;
	range: PortRange;
}

/** The blocks that hold the part of a pool's range outside the static band. */
export function blocksOf(
	pool: { name: string; range: PortRange | undefined },
	nodePorts: PortRange,
): Block[] {
	const { name, range } = pool;
	if (!range) return [];
	const band = staticBand(nodePorts);
	const blocks: Block[] = [];
	for (const part of withoutRanges(range, band ? [band] : [])) {
		const first = Math.floor(part.first / blockSize) * blockSize;
		for (let start = first; start <= part.last; start += blockSize) {
			const covered = commonRange(part, {
				first: start,
				last: start + blockSize - 1,
			});
			if (covered)
				blocks.push({
					pool: name,
					name: placeholderName(name, start),
					range: covered,
				});
		}
	}
	return blocks;
}

/** A Service's name has at most 63 characters, and a pool's may have as many and dots; a hash tells cut ones apart. */
function placeholderName(pool: string, start: number): string {
	const plain = pool.replaceAll(".", "-");
	const suffix = plain === pool && plain.length <= 36 ? "" : `-${hash(pool)}`;
	return `fairlead-keeps-${start}-${plain.slice(0, 28)}${suffix}`;
}

/** FNV-1a, 32 bits: enough to tell two pools apart, and the same everywhere. */
function hash(text: string): string {
	let value = 0x811c9dc5;
	for (const char of text)
		value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 0x01000193);
	return (value >>> 0).toString(16).padStart(8, "0");
}

/** Ports a block's placeholder should hold: those nobody has. */
export function portsToHold(
	{ range }: Block,
	isTaken: (port: number) => boolean,
): number[] {
	const ports: number[] = [];
	for (let port = range.first; port <= range.last; port++)
		if (!isTaken(port)) ports.push(port);
	return ports;
}

/** Ports a placeholder holds now. */
export function portsHeld(placeholder: Service | undefined): number[] {
	return (placeholder?.spec.ports ?? []).flatMap(({ nodePort }) =>
		nodePort === undefined ? [] : [nodePort],
	);
}

/** The placeholder of a block; undefined when there is nothing to hold. Its pool owns it: it goes when the pool does. */
export function placeholder(
	block: Block,
	ports: readonly number[],
	namespace: string,
	poolUid: string | undefined,
): Service | undefined {
	if (ports.length === 0) return undefined;
	if (!ports.every((port) => inRange(block.range, port)))
		throw new Error(`${block.name} cannot hold ports outside its block`);
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: {
			name: block.name,
			namespace,
			labels: {
				[placeholderLabels.component]: placeholderLabels.componentValue,
				[placeholderLabels.pool]: block.pool,
				[placeholderLabels.proxy]: placeholderLabels.proxyValue,
			},
			...(poolUid === undefined
				? {}
				: {
						ownerReferences: [
							{
								apiVersion: groupVersion,
								kind: "NodePortPool",
								name: block.pool,
								uid: poolUid,
							},
						],
					}),
		},
		spec: {
			type: "NodePort",
			ports: ports.map((port) => ({
				name: `p${port}`,
				port,
				protocol: "TCP",
				nodePort: port,
			})),
		},
	};
}
