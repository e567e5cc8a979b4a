import { isIP } from "node:net";
import type {
	Endpoint,
	EndpointSlice,
	IPFamily,
	Service,
} from "../../operator/api/core.ts";
import { resources } from "../../operator/cluster/kube.ts";
import type { EndpointAddress, Endpoints } from "../objects.ts";
import { sameMeaning } from "./merge-diff.ts";
import { controllerReference } from "./ownership.ts";
import { familyOf } from "./service-endpoints.ts";
import {
	managedByLabel,
	portKey,
	type SlicePlan,
	serviceNameLabel,
} from "./slice-plan.ts";
import { triggerTimeAnnotation } from "./trigger-times.ts";

export const mirroredBy = "endpointslicemirroring-controller.k8s.io";

/** Addresses of a subset that are mirrored, at most. */
const addressLimit = 1_000;

/** Whether somebody writes these Endpoints for a Service that selects no pods, and means them to be used. */
export function isMirrored(
	{ metadata }: Endpoints,
	service: Service | undefined,
): boolean {
	return (
		service !== undefined &&
		service.spec.selector === undefined &&
		metadata.labels?.["endpointslice.kubernetes.io/skip-mirror"] !== "true" &&
		metadata.annotations?.["control-plane.alpha.kubernetes.io/leader"] ===
			undefined
	);
}

/**
 * What is to be done so that `present`, the mirrored slices of an Endpoints object, say what it says
 * (pkg/controller/endpointslicemirroring): one slice for each subset and family.
 */
export function planMirror(
	endpoints: Endpoints,
	present: readonly EndpointSlice[],
): Pick<SlicePlan, "create" | "update" | "remove"> {
	const plan: ReturnType<typeof planMirror> = {
		create: [],
		update: [],
		remove: [...present],
	};
	const take = (matches: (slice: EndpointSlice) => boolean) => {
		const index = plan.remove.findIndex(matches);
		return index < 0 ? undefined : plan.remove.splice(index, 1)[0];
	};
	const same = (wanted: EndpointSlice) => (slice: EndpointSlice) =>
		slice.addressType === wanted.addressType &&
		portKey(slice.ports ?? []) === portKey(wanted.ports ?? []);
	const wanted = wantedSlices(endpoints);
	const missing = wanted.filter((each) => {
		const slice = take(same(each));
		if (slice) update(plan, slice, each);
		return !slice;
	});
	for (const each of missing) {
		// Rather changed than replaced.
		const spare = take(({ addressType }) => addressType === each.addressType);
		if (spare) update(plan, spare, each);
		else plan.create.push(each);
	}
	return plan;
}

function update(
	plan: ReturnType<typeof planMirror>,
	slice: EndpointSlice,
	wanted: EndpointSlice,
): void {
	const { labels, annotations, ownerReferences } = wanted.metadata;
	const same =
		sameMeaning(slice.metadata.labels, labels) &&
		sameMeaning(slice.metadata.annotations, annotations) &&
		sameMeaning(slice.metadata.ownerReferences, ownerReferences) &&
		sameMeaning(slice.endpoints, wanted.endpoints) &&
		portKey(slice.ports ?? []) === portKey(wanted.ports ?? []);
	if (same) return;
	const metadata = {
		...slice.metadata,
		...(labels ? { labels } : {}),
		...(annotations ? { annotations } : {}),
		...(ownerReferences ? { ownerReferences } : {}),
	};
	plan.update.push({ slice, next: { ...slice, ...wanted, metadata } });
}

function wantedSlices(endpoints: Endpoints): EndpointSlice[] {
	return (endpoints.subsets ?? []).flatMap(
		({ addresses = [], notReadyAddresses = [], ports = [] }) => {
			const all = [
				...addresses.map((address) => endpointOf(address, true)),
				...notReadyAddresses.map((address) => endpointOf(address, false)),
			]
				.filter((endpoint) => endpoint !== undefined)
				.slice(0, addressLimit);
			return (["IPv4", "IPv6"] as const).flatMap((addressType) => {
				const found = all.filter(
					(endpoint) => familyOf(endpoint.addresses[0] ?? "") === addressType,
				);
				const named = ports.map(({ name = "", ...port }) => ({
					name,
					...port,
				}));
				return found.length > 0
					? [sliceOf(endpoints, addressType, found, named)]
					: [];
			});
		},
	);
}

function endpointOf(
	{ ip, hostname, nodeName, targetRef }: EndpointAddress,
	ready: boolean,
): Endpoint | undefined {
	if (isIP(ip) === 0) return undefined;
	return {
		addresses: [ip],
		conditions: { ready },
		...(hostname === undefined ? {} : { hostname }),
		...(nodeName === undefined ? {} : { nodeName }),
		...(targetRef === undefined ? {} : { targetRef }),
	};
}

function sliceOf(
	endpoints: Endpoints,
	addressType: IPFamily,
	found: Endpoint[],
	ports: NonNullable<EndpointSlice["ports"]>,
): EndpointSlice {
	const { name, namespace, labels } = endpoints.metadata;
	const annotations = { ...endpoints.metadata.annotations };
	delete annotations[triggerTimeAnnotation];
	return {
		metadata: {
			// Given when it is created.
			name: "",
			generateName: `${name}-`,
			...(namespace === undefined ? {} : { namespace }),
			labels: {
				...labels,
				[serviceNameLabel]: name,
				[managedByLabel]: mirroredBy,
			},
			annotations,
			ownerReferences: [controllerReference(resources.endpoints, endpoints)],
		},
		addressType,
		endpoints: found,
		ports,
	};
}
