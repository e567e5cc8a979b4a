import type { TargetHealth } from "../engine.ts";

export interface Candidate {
	key: string;
	address: string | null;
	status: TargetHealth["status"];
	/** Connections it has now. */
	open: number;
}

/** The targets a new connection may try: the healthy ones, or, while none is, those not checked yet. */
export function usable<T extends Candidate>(targets: readonly T[]): T[] {
	const reachable = targets.filter(({ address }) => address !== null);
	const healthy = reachable.filter(({ status }) => status === "healthy");
	return healthy.length > 0
		? healthy
		: reachable.filter(({ status }) => status === "unknown");
}

/**
 * The usable targets in the order in which a connection tries them. `turn` counts the connections of the listener;
 * `preferred` (affinity) comes first if it is among them.
 */
export function order<T extends Candidate>(
	targets: readonly T[],
	algorithm: "round_robin" | "least_connections",
	turn: number,
	preferred?: string,
): T[] {
	const able = usable(targets);
	const first = able.length === 0 ? 0 : turn % able.length;
	const turned = [...able.slice(first), ...able.slice(0, first)];
	if (algorithm === "least_connections") turned.sort((a, b) => a.open - b.open);
	const kept = turned.findIndex(({ key }) => key === preferred);
	return kept > 0 ? [turned[kept] as T, ...turned.toSpliced(kept, 1)] : turned;
}
