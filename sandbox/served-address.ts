import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { EndpointSlice, Service } from "../operator/api/core.ts";
import { type Clock, sleep } from "../operator/clock.ts";
import type { Store } from "../operator/cluster/index.ts";
import { sampleService } from "./cluster-objects.ts";

/** Between two tries of an address that nobody answers at yet; there is no event for that. */
const pauseMs = 20;
const patienceMs = 2_000;

/**
 * The sample Service's first ingress address, as soon as it has one, a pod is ready behind it, and a request that goes there is
 * answered: status and slices may be left from an earlier run.
 */
export async function servedAddress(
	stores: {
		services: Store<Service>;
		endpointSlices: Store<EndpointSlice>;
	},
	clock: Clock,
	dial: (address: string) => Duplex,
): Promise<string> {
	for (;;) {
		const address = await claimedAddress(stores);
		if (await answers(clock, () => dial(address))) return address;
		await sleep(clock, pauseMs);
	}
}

/** What status and slices say. */
function claimedAddress(stores: {
	services: Store<Service>;
	endpointSlices: Store<EndpointSlice>;
}): Promise<string> {
	const { services, endpointSlices } = stores;
	const { namespace, name } = sampleService;
	const isServed = () =>
		[...endpointSlices.values()].some(
			({ metadata, endpoints = [] }) =>
				metadata.namespace === namespace &&
				metadata.labels?.["kubernetes.io/service-name"] === name &&
				endpoints.some(({ conditions }) => conditions?.ready !== false),
		);
	return new Promise((resolve) => {
		const look = () => {
			const ip = services.get(`${namespace}/${name}`)?.status?.loadBalancer
				?.ingress?.[0]?.ip;
			if (ip === undefined || !isServed()) return;
			for (const stop of undo) stop();
			resolve(ip);
		};
		const undo = [services.onChange(look), endpointSlices.onChange(look)];
		look();
	});
}

/** Whether an HTTP request over a new connection is answered by anything. */
async function answers(clock: Clock, dial: () => Duplex): Promise<boolean> {
	const limit = new AbortController();
	const cancel = clock.after(patienceMs, () => limit.abort());
	let connection: Duplex | undefined;
	try {
		connection = dial();
		connection.write("GET / HTTP/1.0\r\n\r\n");
		await once(connection, "data", { signal: limit.signal });
		return true;
	} catch {
		// Refused, unreachable, or no answer in time: that is the answer.
		return false;
	} finally {
		cancel();
		connection?.on("error", () => {}).destroy();
	}
}
