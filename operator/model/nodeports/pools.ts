import type { Service } from "../../api/core.ts";
import type { LabelSelector, NodePortPool } from "../../api/fairlead.ts";
import {
	type Labels,
	matchesSelector,
	selectorProblem,
} from "../addresses/labels.ts";
import {
	commonRange,
	formatPortRange,
	inRange,
	type PortRange,
	parsePortRange,
} from "./port-range.ts";

/** A NodePortPool, read. */
export interface PortPool {
	name: string;
	/** What of its range is NodePorts of this cluster; undefined when nothing is. */
	range: PortRange | undefined;
	createdAt: string;
	namespaceSelector: LabelSelector | undefined;
	serviceSelector: LabelSelector | undefined;
	/** What is wrong with it, a sentence each, the field first. */
	problems: string[];
	/** Ports of it that an earlier pool keeps, a sentence; absent where none does. */
	overlap?: string;
}

/** Reads all pools, in the order given: of a port that several have the first keeps it. */
export function readPortPools(
	objects: readonly NodePortPool[],
	nodePorts: PortRange,
): PortPool[] {
	const read = objects.map((object) => readPortPool(object, nodePorts));
	return read.map((pool, index) => {
		const common = read.slice(0, index).flatMap(({ name, range }) => {
			const both = range && pool.range && commonRange(range, pool.range);
			return both ? [`${formatPortRange(both)} (NodePortPool ${name})`] : [];
		});
		return common.length === 0
			? pool
			: {
					...pool,
					overlap: `spec.range: other pools, earlier by name, keep ${common.join(", ")}; give each port to one pool`,
				};
	});
}

/** Reads a pool; `nodePorts` is the API server's range. What cannot be read is a problem, never a guess. */
export function readPortPool(
	{ metadata, spec }: NodePortPool,
	nodePorts: PortRange,
): PortPool {
	const asked = parsePortRange(spec.range);
	const range = asked && commonRange(asked, nodePorts);
	const problems: string[] = [];
	const shown = `spec.range ${JSON.stringify(spec.range.slice(0, 80))}`;
	if (!asked)
		problems.push(`${shown}: must be a range of ports such as 30000-30063`);
	else if (!range || formatPortRange(range) !== formatPortRange(asked))
		problems.push(
			`${shown}: ${range ? "part of it is" : "it is"} outside the cluster's NodePorts, ${formatPortRange(nodePorts)} (flag --node-port-range)`,
		);
	for (const field of ["namespaceSelector", "serviceSelector"] as const) {
		const problem = selectorProblem(spec[field]);
		if (problem) problems.push(`spec.${field}: ${problem}`);
	}
	return {
		name: metadata.name,
		range,
		createdAt: metadata.creationTimestamp ?? "",
		namespaceSelector: spec.namespaceSelector,
		serviceSelector: spec.serviceSelector,
		problems,
	};
}

/** Whether a pool's selectors let a Service have its ports. */
export function admits(
	pool: PortPool,
	service: Service,
	namespaceLabels: Labels,
): boolean {
	return (
		matchesSelector(pool.namespaceSelector, namespaceLabels) &&
		matchesSelector(pool.serviceSelector, service.metadata.labels ?? {})
	);
}

/** The pool that keeps a port, the first by name of several. */
export function poolOf(
	port: number,
	pools: Iterable<PortPool>,
): PortPool | undefined {
	for (const pool of pools)
		if (pool.range && inRange(pool.range, port)) return pool;
	return undefined;
}
