/**
 * @import { LiveBalancer, LiveHealth, LiveListener, LiveTarget } from "../../api/live.ts"
 * @import { ServicePath } from "../services/service-path.ts"
 */
import { addressAndPort } from "./format.js";
import { healthOn, portName, targetName } from "./health.js";

/**
 * @typedef {object} Hop A target as the end of the path through one listener.
 * @property {string} key
 * @property {string} name
 * @property {string | null} to Address and port.
 * @property {LiveHealth["status"]} status
 * @property {string} word The status in a word.
 * @property {string | null} problem
 * @property {boolean} carries New connections may go there.
 * @property {boolean} busy Connections are open.
 */

/**
 * @typedef {Hop & { from: string[] }} PodHop A pod behind the nodes; `from` are the keys of the targets that lead there.
 */

/**
 * @typedef {object} Path
 * @property {string[]} addresses
 * @property {LiveListener} listener
 * @property {Hop[]} hops Those that carry first.
 * @property {PodHop[] | null} pods Null where nobody knows the cluster, or the balancer is no Service's.
 * @property {boolean} ownPodsOnly A node hands packets to its own pods only.
 */

/**
 * Where a packet for one listener of a balancer goes. A target whose health is unknown carries only while none is
 * healthy (live.ts).
 *
 * @param {LiveBalancer} balancer
 * @param {LiveListener} listener
 * @param {ServicePath | null} service What the balancer is for.
 * @returns {Path}
 */
export function pathThrough(balancer, listener, service = null) {
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
		word: status(target),
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
		pods: podsBehind(hops, listener, service),
		ownPodsOnly: service?.externalTrafficPolicy === "Local",
	};
}

/**
 * @param {Hop[]} hops
 * @param {LiveListener} listener
 * @param {ServicePath | null} service
 * @returns {PodHop[] | null}
 */
function podsBehind(hops, listener, service) {
	const port = service?.ports.find(
		(one) =>
			one.nodePort === listener.destinationPort &&
			one.protocol.toLowerCase() === listener.transport,
	);
	if (port === undefined) return null;
	const own = service?.externalTrafficPolicy === "Local";
	return port.endpoints.map((endpoint) => {
		const to = addressAndPort(endpoint.address, endpoint.port);
		const from = hops.filter((hop) => !own || hop.name === endpoint.node);
		return {
			key: to,
			name: endpoint.pod ?? to,
			to: endpoint.node === null ? to : `${to} on ${endpoint.node}`,
			status: endpoint.state === "ready" ? "healthy" : "unhealthy",
			word: endpoint.state,
			problem: null,
			carries: endpoint.state === "ready" && from.some((hop) => hop.carries),
			busy: from.some((hop) => hop.busy),
			from: from.map((hop) => hop.key),
		};
	});
}

/**
 * The path in a sentence or two.
 *
 * @param {LiveBalancer} balancer
 * @param {Path} path
 */
export function pathSentence(balancer, path) {
	return [nodesSentence(balancer, path), podsSentence(path)]
		.filter(Boolean)
		.join(" ");
}

/** @param {Path} path */
function podsSentence({ hops, pods, ownPodsOnly }) {
	if (pods === null || !hops.some((hop) => hop.carries)) return "";
	const ready = pods.filter((pod) => pod.word === "ready").length;
	if (ready === 0) return "No pod behind them is ready: nodes refuse.";
	const some = `${ready} ready ${ready === 1 ? "pod" : "pods"}`;
	return ownPodsOnly
		? `Each node hands them to its own pods only; there are ${some}.`
		: `Each node hands them to any of ${some}.`;
}

/** @param {LiveBalancer} balancer @param {Path} path */
function nodesSentence(balancer, { addresses, listener, hops }) {
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
	// The kernel's rules choose by lot where Hetzner's round_robin takes turns.
	const spread = listener.engine === "kernel" ? "by lot" : "in turn";
	const how =
		balancer.algorithm === "round_robin"
			? spread
			: "to the one with the fewest open";
	const which =
		carrying.length === hops.length
			? `all ${hops.length} targets`
			: `${carrying.length} of ${hops.length} targets`;
	const doubt = carrying[0]?.status === "unknown" ? ", none checked yet" : "";
	return `New connections to ${where} go to ${which}, ${how}${doubt}.`;
}
