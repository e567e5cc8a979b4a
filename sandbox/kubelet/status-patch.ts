import type { Pod, PodStatus } from "../../operator/api/core.ts";

/**
 * The parts of `status` that differ from what the API server has, for a merge patch; undefined when there are none.
 * Lists are whole, as merge patches replace them.
 */
export function statusPatch(
	pod: Pod,
	status: PodStatus,
): Partial<PodStatus> | undefined {
	const known: PodStatus = pod.status ?? {};
	const changed = Object.entries(status).filter(
		([name, value]) =>
			JSON.stringify(sorted(value)) !==
			JSON.stringify(sorted(known[name as keyof PodStatus])),
	);
	return changed.length > 0 ? Object.fromEntries(changed) : undefined;
}

/** The same value with the keys of its objects in order: two that mean the same are written the same. */
function sorted(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(sorted);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value)
			.filter(([, each]) => each !== null)
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.map(([key, each]) => [key, sorted(each)]),
	);
}
