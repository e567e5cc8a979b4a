import type { NodePortConflict } from "../../operator/api/fairlead.ts";
import { describeConflict } from "../../operator/model/nodeports/conflicts.ts";
import type { HeldPort } from "../../operator/model/nodeports/overview.ts";
import { plain, type Style } from "./style.ts";
import { table } from "./table.ts";

/** What `fairlead nodeports -o json` prints. */
export interface NodePortsTold {
	range: string;
	/** Null for a range too small to have one. */
	staticBand: string | null;
	total: number;
	/** Port numbers: `used` by Services, `reserved` by pools and held by nobody, and the rest. */
	used: number;
	reserved: number;
	free: number;
	held: HeldPort[];
	pools: {
		name: string;
		/** Null when nothing of it is NodePorts of this cluster. */
		range: string | null;
		used: number;
		free: number;
		problems: string[];
	}[];
	conflicts: NodePortConflict[];
	/** `pods`: no agent reports, so sockets and the kernel's ephemeral range are not known. */
	conflictsFrom: "agents" | "pods";
	unread: { what: string; why: string }[];
}

export function nodePortsText(told: NodePortsTold, style: Style): string[] {
	const { range, staticBand, total, used, reserved, free } = told;
	const band = staticBand === null ? "" : `, static band ${staticBand}`;
	return [
		style.bold(
			`${range}${band}: ${used} of ${total} NodePorts used, ${reserved} kept by pools, ${free} free`,
		),
		...section(
			"NodePorts",
			["NODEPORT", "PROTOCOL", "SERVICE", "PORT"],
			told.held.map(({ nodePort, protocol, namespace, service, port }) => [
				String(nodePort),
				protocol,
				`${namespace}/${service}`,
				port,
			]),
			style,
		),
		...section(
			"Pools",
			["POOL", "RANGE", "USED", "FREE", "PROBLEMS"],
			told.pools.map((pool) => [
				pool.name,
				pool.range ?? "none",
				String(pool.used),
				String(pool.free),
				plain(pool.problems.join("; ")) || "none",
			]),
			style,
		),
		...section(
			"Conflicts",
			["NODEPORT", "KIND", "WHO"],
			told.conflicts.map((conflict) => [
				`${conflict.port}/${conflict.protocol}`,
				conflict.kind,
				plain(describeConflict(conflict)),
			]),
			style,
		),
		...notes(told).map((note) => style.dim(note)),
	];
}

function notes({ conflictsFrom, unread }: NodePortsTold): string[] {
	const blind =
		conflictsFrom === "pods"
			? [
					"No agent reports its node's ports: conflicts are of hostPorts alone, not of other processes or the ephemeral range.",
				]
			: [];
	const lines = [
		...blind,
		...unread.map(({ what, why }) => `Not read: ${what} (${plain(why)})`),
	];
	return lines.length === 0 ? [] : ["", ...lines];
}

function section(
	title: string,
	head: string[],
	rows: string[][],
	style: Style,
): string[] {
	return rows.length === 0
		? []
		: ["", style.bold(title), ...table([head, ...rows])];
}
