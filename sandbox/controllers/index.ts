import type { Clock } from "../../operator/clock.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import type { Log } from "../../operator/log.ts";
import { startStores, type Stores } from "../stores.ts";
import { startDeployments } from "./deployments.ts";
import { startEndpointMirroring } from "./endpoint-mirroring.ts";
import { startEndpointSlices } from "./endpoint-slices.ts";
import { startEndpoints } from "./endpoints.ts";
import { addIndexes } from "./indexes.ts";
import { startReplicaSets } from "./replica-sets.ts";
import { startScheduler } from "./scheduler.ts";
import { startServiceAccounts } from "./service-accounts.ts";

export interface ControllersOptions {
	client: KubeClient;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	/** The process's caches, if it has them already; who made them stops them. */
	stores?: Stores;
	/** PEM of the authority that signed the API server's certificate. */
	rootCa: string;
}

export interface Controllers {
	stores: Stores;
	stop(): Promise<void>;
}

/** Everything that makes a cluster of an API server: pods get made, nodes, endpoints and accounts. */
export function startControllers({
	stores: given,
	...options
}: ControllersOptions): Controllers {
	const stores = given ?? startStores(options);
	addIndexes(stores);
	const whole = { ...options, stores };
	const loops = [
		startScheduler,
		startReplicaSets,
		startDeployments,
		startEndpointSlices,
		startEndpoints,
		startEndpointMirroring,
		startServiceAccounts,
	].map((start) => start(whole));
	return {
		stores,
		async stop() {
			await Promise.all(loops.map((loop) => loop.stop()));
			if (!given) await stores.stop();
		},
	};
}
