/**
 * @import { LiveBalancer, LiveTarget } from "../../api/live.ts"
 */

/** @param {LiveTarget} target @param {number} port The listener's. */
export const healthOn = (target, port) =>
	target.health.find((one) => one.port === port);

/**
 * How many of a balancer's targets can serve on every listener, out of how many.
 *
 * @param {LiveBalancer} balancer
 */
export function healthyTargets({ targets }) {
	const healthy = targets.filter(
		(target) =>
			target.health.length > 0 &&
			target.health.every((one) => one.status === "healthy"),
	);
	return { healthy: healthy.length, all: targets.length };
}

/**
 * A balancer in one word: `healthy` all targets serve; `degraded` some do not; `unhealthy` a listener has no healthy
 * target; `unknown` nothing to check yet.
 *
 * @param {LiveBalancer} balancer
 * @returns {"healthy" | "degraded" | "unhealthy" | "unknown"}
 */
export function overall({ listeners, targets }) {
	const all = targets.flatMap((target) => target.health);
	if (listeners.some((listener) => listener.state === "failed"))
		return "unhealthy";
	if (all.length === 0 || all.every((one) => one.status === "unknown"))
		return "unknown";
	if (all.every((one) => one.status === "healthy")) return "healthy";
	const dark = listeners.some(({ port }) =>
		targets.every((target) => healthOn(target, port)?.status === "unhealthy"),
	);
	return dark ? "unhealthy" : "degraded";
}

/** What a target is called. @param {LiveTarget} target */
export const targetName = (target) =>
	target.server?.name ?? target.address ?? target.key.replace(/^ip:/, "");
