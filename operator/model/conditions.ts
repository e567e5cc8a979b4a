import type { Condition } from "../api/meta.ts";

/** A condition without its clock: what is so, and why. */
export type Verdict = Pick<Condition, "type" | "status" | "reason" | "message">;

/** Longest message the API server takes (metav1.Condition). */
const maxMessage = 32_768;

/**
 * Conditions of `wanted` that differ from `current`, ready to be written: lastTransitionTime moves only when the
 * status does (metav1.Condition). Conditions of other types are nobody's business here.
 */
export function changedConditions(
	current: readonly Condition[],
	wanted: readonly Verdict[],
	now: string,
): Condition[] {
	const changed: Condition[] = [];
	for (const verdict of wanted) {
		const old = current.find((each) => each.type === verdict.type);
		const message = verdict.message.slice(0, maxMessage);
		if (
			old?.status === verdict.status &&
			old.reason === verdict.reason &&
			old.message === message
		)
			continue;
		changed.push({
			...verdict,
			message,
			lastTransitionTime:
				old?.status === verdict.status ? old.lastTransitionTime : now,
		});
	}
	return changed;
}

/**
 * The whole list with `wanted` in it, for objects whose lists are replaced as a whole (custom resources know no strategic
 * merge); undefined when it is there already.
 */
export function replacedConditions(
	current: readonly Condition[],
	wanted: readonly Verdict[],
	now: string,
): Condition[] | undefined {
	const changed = changedConditions(current, wanted, now);
	if (changed.length === 0) return undefined;
	const types = new Set(changed.map(({ type }) => type));
	return [...current.filter(({ type }) => !types.has(type)), ...changed];
}
