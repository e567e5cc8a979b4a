/**
 * @import { LiveBalancer, LiveListener, LiveTarget } from "../../api/live.ts"
 */

/** @param {LiveTarget} target @param {Pick<LiveListener, "port" | "transport">} listener */
export const healthOn = (target, { port, transport }) =>
	target.health.find((one) => one.port === port && one.transport === transport);

/** One of a kind within its balancer. @param {Pick<LiveListener, "port" | "transport">} listener */
export const listenerKey = ({ port, transport }) => `${transport}/${port}`;

/** A listener as people call it: `80`, `53/udp`. @param {Pick<LiveListener, "port" | "transport">} listener */
export const portName = ({ port, transport }) =>
	transport === "udp" ? `${port}/udp` : String(port);

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
	const dark = listeners.some((listener) =>
		targets.every(
			(target) => healthOn(target, listener)?.status === "unhealthy",
		),
	);
	return dark ? "unhealthy" : "degraded";
}

/** What a target is called. @param {LiveTarget} target */
export const targetName = (target) =>
	target.server?.name ?? target.address ?? target.key.replace(/^ip:/, "");
