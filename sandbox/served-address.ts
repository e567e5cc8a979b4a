import type { EndpointSlice, Service } from "../operator/api/core.ts";
import type { Store } from "../operator/cluster/index.ts";
import { sampleService } from "./cluster-objects.ts";

/** The sample Service's first ingress address, as soon as it has one and a pod is ready to answer there. */
export function servedAddress(stores: {
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
		const look = ({ object }: { object: { metadata: { name: string } } }) => {
			if (!object.metadata.name.startsWith(name)) return;
			const ip = services.get(`${namespace}/${name}`)?.status?.loadBalancer
				?.ingress?.[0]?.ip;
			if (ip === undefined || !isServed()) return;
			for (const stop of undo) stop();
			resolve(ip);
		};
		const undo = [services.onChange(look), endpointSlices.onChange(look)];
		look({ object: { metadata: sampleService } });
	});
}
