/**
 * @import { LiveBalancer, LiveHealth, LiveListener, LiveTarget } from "../../api/live.ts"
 */
import { addressAndPort } from "./format.js";
import { healthOn, portName, targetName } from "./health.js";

/**
 * @typedef {object} Hop A target as the end of the path through one listener.
 * @property {string} key
 * @property {string} name
 * @property {string | null} to Address and port.
 * @property {LiveHealth["status"]} status
 * @property {string | null} problem
 * @property {boolean} carries New connections may go there.
 * @property {boolean} busy Connections are open.
 */

/**
 * @typedef {object} Path
 * @property {string[]} addresses
 * @property {LiveListener} listener
 * @property {Hop[]} hops Those that carry first.
 */

/**
 * Where a packet for one listener of a balancer goes. A target whose health is unknown carries only while none is
 * healthy (live.ts).
 *
 * @param {LiveBalancer} balancer
 * @param {LiveListener} listener
 * @returns {Path}
 */
export function pathThrough(balancer, listener) {
	const status = (/** @type {LiveTarget} */ target) =>
		healthOn(target, listener)?.status ?? "unknown";
	const reachable = balancer.targets.filter((one) => one.address !== null);
	const chosen = reachable.some((one) => status(one) === "healthy")
		? "healthy"
		: "unknown";
	const hops = balancer.targets.map((target) => ({
		key: target.key,
		name: targetName(target),
		to:
			target.address === null
				? null
				: addressAndPort(target.address, listener.destinationPort),
		status: status(target),
		problem: target.problem,
		carries:
			listener.state === "serving" &&
			target.address !== null &&
			status(target) === chosen,
		busy: target.counters.open > 0,
	}));
	hops.sort((a, b) => Number(b.carries) - Number(a.carries));
	return {
		addresses: [...balancer.addresses, ...balancer.privateAddresses],
		listener,
		hops,
	};
}

/**
 * The path in a sentence.
 *
 * @param {LiveBalancer} balancer
 * @param {Path} path
 */
export function pathSentence(balancer, { addresses, listener, hops }) {
	const where = `port ${portName(listener)}`;
	if (listener.state === "failed")
		return `The listener on ${where} could not be opened: ${listener.reason ?? "no reason given"}.`;
	if (addresses.length === 0)
		return "The balancer has no address: its public interface is off and it is in no network.";
	if (hops.length === 0)
		return `No target yet: connections to ${where} are closed.`;
	const carrying = hops.filter((hop) => hop.carries);
	if (carrying.length === 0)
		return `No target can serve ${where}: connections to it are closed.`;
	const [only] = carrying;
	if (only && hops.length === 1)
		return `New connections to ${where} go to ${only.name}, the only target.`;
	if (only && carrying.length === 1)
		return `New connections to ${where} go to ${only.name}, the only one of ${hops.length} targets that can serve.`;
	const how =
		balancer.algorithm === "round_robin"
			? "in turn"
			: "to the one with the fewest open";
	const which =
		carrying.length === hops.length
			? `all ${hops.length} targets`
			: `${carrying.length} of ${hops.length} targets`;
	const doubt = carrying[0]?.status === "unknown" ? ", none checked yet" : "";
	return `New connections to ${where} go to ${which}, ${how}${doubt}.`;
}
