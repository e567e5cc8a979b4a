import { randomBytes } from "node:crypto";
import type { KubeObject } from "../operator/api/meta.ts";
import { type Clock, systemClock } from "../operator/clock.ts";
import { createKubeClient } from "../operator/cluster/client.ts";
import type { Store } from "../operator/cluster/index.ts";
import type { KubeClient } from "../operator/cluster/kube.ts";
import type { Log } from "../operator/log.ts";
import { type ApiServer, startApiServer } from "./apiserver/start.ts";
import { startStores, type Stores } from "./stores.ts";

export interface TestCluster {
	server: ApiServer;
	client: KubeClient;
	stores: Stores;
	clock: Clock;
	log: Log;
	close(): Promise<void>;
}

/** The sandbox's API server on a free port, a client as its admin, and complete caches. */
export async function startTestCluster(
	log: Log,
	clock: Clock = systemClock,
): Promise<TestCluster> {
	const server = await startApiServer({
		host: "127.0.0.1",
		port: 0,
		clock: systemClock,
		random: (bytes) => randomBytes(bytes),
		log,
	});
	const client = createKubeClient(
		{
			server: new URL(server.url),
			ca: server.ca,
			insecureSkipTlsVerify: false,
			disableCompression: true,
			headers: {},
			namespace: "default",
			credentials: () =>
				Promise.resolve({ authorization: `Bearer ${server.adminToken}` }),
		},
		{ clock: systemClock, log, userAgent: "test" },
	);
	const stores = startStores({ client, clock, random: Math.random, log });
	await stores.synced;
	return {
		server,
		client,
		stores,
		clock,
		log,
		async close() {
			await stores.stop();
			client.close();
			await server.close();
		},
	};
}

/** Resolves with the first object, present or to come, of which `holds` is true. */
export function once<T extends KubeObject>(
	store: Store<T>,
	holds: (object: T) => boolean,
): Promise<T> {
	return new Promise((resolve) => {
		for (const object of store.values())
			if (holds(object)) return resolve(object);
		const stop = store.onChange(({ type, object }) => {
			if (type === "deleted" || !holds(object)) return;
			stop();
			resolve(object);
		});
	});
}
