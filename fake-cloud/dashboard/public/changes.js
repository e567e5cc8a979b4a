/**
 * @import { View } from "./state.d.ts"
 * @import { LiveBalancer } from "../../api/live.ts"
 */
import { words } from "./format.js";
import { healthOn, listenerKey, portName, targetName } from "./health.js";

/**
 * What a person who only listens must hear of: sentences, in order of weight. Counters and progress are not among them.
 *
 * @param {View} before
 * @param {View} after
 * @returns {string[]}
 */
export function changes(before, after) {
	if (before === after) return [];
	return [
		...healthChanges(before, after),
		...actionFailures(before, after),
		...comings(before, after),
		...faultChanges(before, after),
	];
}

/** @param {View} before @param {View} after */
function* healthChanges(before, after) {
	if (before.balancers === after.balancers) return;
	for (const balancer of after.balancers.values()) {
		const was = before.balancers.get(balancer.id);
		if (was === undefined || was === balancer) continue;
		yield* targetChanges(was, balancer);
	}
}

/** @param {LiveBalancer} was @param {LiveBalancer} is */
function* targetChanges(was, is) {
	const known = new Map(was.targets.map((target) => [target.key, target]));
	for (const target of is.targets) {
		const old = known.get(target.key);
		for (const health of target.health) {
			const status = old && healthOn(old, health)?.status;
			if (status === undefined || status === health.status) continue;
			yield `${is.name}: ${targetName(target)} is ${health.status} on port ${portName(health)}`;
		}
	}
	for (const listener of is.listeners) {
		const old = was.listeners.find(
			(one) => listenerKey(one) === listenerKey(listener),
		);
		if (listener.state === "failed" && old?.state !== "failed")
			yield `${is.name}: the listener on port ${portName(listener)} failed`;
	}
}

/** @param {View} before @param {View} after */
function* actionFailures(before, after) {
	if (before.actions === after.actions) return;
	const failed = new Set(
		before.actions.filter((one) => one.status === "error").map((one) => one.id),
	);
	for (const action of after.actions)
		if (action.status === "error" && !failed.has(action.id))
			yield `Action ${words(action.command)} failed: ${action.error?.message ?? "no reason given"}`;
}

/** @param {View} before @param {View} after */
function* comings(before, after) {
	if (before.balancers === after.balancers) return;
	for (const [id, balancer] of after.balancers)
		if (!before.balancers.has(id)) yield `Balancer ${balancer.name} was added`;
	for (const [id, balancer] of before.balancers)
		if (!after.balancers.has(id)) yield `Balancer ${balancer.name} was removed`;
}

/** @param {View} before @param {View} after */
function* faultChanges(before, after) {
	if (before.faults === after.faults) return;
	if (before.faults.length === after.faults.length) return;
	yield after.faults.length === 0
		? "No faults"
		: after.faults.length === 1
			? "1 fault is set"
			: `${after.faults.length} faults are set`;
}

/**
 * Several sentences as one that is not a flood.
 *
 * @param {readonly string[]} sentences
 */
export function digest(sentences) {
	const said = sentences.slice(0, 3).join(". ");
	const more = sentences.length - 3;
	return more > 0 ? `${said}. And ${more} more changes.` : `${said}.`;
}
