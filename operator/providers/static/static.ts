import type { Capabilities } from "../../model/balancer/balancer.ts";
import { staticBalancer } from "../../model/balancer/static-balancer.ts";
import type { Provider } from "../provider.ts";

/**
 * Addresses from pools and nothing else: whatever carries them is somebody else's (a router, BGP, a tunnel). There is
 * nothing to make, so nothing can be left behind.
 */
export function createStatic(): Provider {
	const capabilities: Capabilities = {
		protocols: ["TCP", "UDP", "SCTP"],
		families: ["IPv4", "IPv6"],
		sourceRanges: true,
		affinity: true,
		withoutNodePorts: true,
		addressesFrom: "Pools",
	};
	return {
		source: "static",
		capabilities: async (signal) => {
			signal.throwIfAborted();
			return structuredClone(capabilities);
		},
		ensure: async (desired, signal) => {
			signal.throwIfAborted();
			return staticBalancer(desired);
		},
		delete: async (_identity, signal) => {
			signal.throwIfAborted();
			return { gone: true };
		},
		list: async (_clusterId, signal) => {
			signal.throwIfAborted();
			return [];
		},
		forget: () => undefined,
		close: async () => undefined,
	};
}
