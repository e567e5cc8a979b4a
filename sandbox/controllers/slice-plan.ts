import type {
	Endpoint,
	EndpointSlice,
	IPFamily,
	Node,
	Pod,
	Service,
} from "../../operator/api/core.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { sameMeaning } from "./merge-diff.ts";
import { controllerReference } from "./ownership.ts";
import {
	type EndpointPort,
	endpointOf,
	familiesOf,
	isHeadless,
	isReachable,
	portsOn,
} from "./service-endpoints.ts";
import { withHints } from "./traffic-hints.ts";

/** Endpoints in one slice, at most. */
const sliceLimit = 100;

export const serviceNameLabel = "kubernetes.io/service-name";
export const managedByLabel = "endpointslice.kubernetes.io/managed-by";
export const managedBy = "endpointslice-controller.k8s.io";
const headlessLabel = "service.kubernetes.io/headless";
const reserved = [serviceNameLabel, managedByLabel, headlessLabel];

export interface SlicePlan {
	/** Without a name. */
	create: EndpointSlice[];
	update: { slice: EndpointSlice; next: EndpointSlice }[];
	remove: EndpointSlice[];
	/** Nodes that pods name and nobody knows: their pods are left out until they are. */
	missingNodes: string[];
}

/**
 * What is to be done so that a Service's slices are those of its pods (k8s.io/endpointslice reconciler.go): slices that are
 * right stay untouched, changed ones are filled first, then one with just enough room, then new ones.
 *
 * @param present the slices this controller manages for the Service, none of them being deleted
 */
export function planSlices(
	service: Service,
	pods: readonly Pod[],
	present: readonly EndpointSlice[],
	nodeOf: (name: string) => Node | undefined,
): SlicePlan {
	const families = familiesOf(service);
	const plan: SlicePlan = {
		create: [],
		update: [],
		remove: present.filter(
			({ addressType }) => !families.includes(addressType as IPFamily),
		),
		missingNodes: [],
	};
	for (const family of families)
		planFamily(
			service,
			family,
			pods,
			present.filter(({ addressType }) => addressType === family),
			nodeOf,
			plan,
		);
	return plan;
}

interface Group {
	ports: EndpointPort[];
	/** By what makes an endpoint the same one. */
	endpoints: Map<string, Endpoint>;
}

function planFamily(
	service: Service,
	family: IPFamily,
	pods: readonly Pod[],
	present: readonly EndpointSlice[],
	nodeOf: (name: string) => Node | undefined,
	plan: SlicePlan,
): void {
	const owned = present.filter((slice) => isOwned(slice, service));
	const groups = new Map<string, Group>();
	for (const pod of pods) {
		if (!isReachable(pod)) continue;
		const { nodeName = "" } = pod.spec;
		const node = nodeOf(nodeName);
		if (!node && service.spec.publishNotReadyAddresses !== true) {
			plan.missingNodes.push(nodeName);
			continue;
		}
		const ports = portsOn(pod, service);
		const key = portKey(ports);
		const group = groups.get(key) ?? { ports, endpoints: new Map() };
		groups.set(key, group);
		const endpoint = endpointOf(pod, service, node, family);
		if (endpoint) group.endpoints.set(identity(endpoint), endpoint);
	}
	const create: EndpointSlice[] = [];
	const update: SlicePlan["update"] = [];
	const remove = present.filter((slice) => !owned.includes(slice));
	for (const slice of owned)
		if (!groups.has(portKey(slice.ports ?? []))) remove.push(slice);
	for (const [key, group] of groups) {
		const slices = owned.filter((each) => portKey(each.ports ?? []) === key);
		planGroup(service, family, group, slices, { create, update, remove });
	}
	// A Service without endpoints still says so.
	if (create.length === 0 && remove.length === present.length) {
		const empty = newSlice(service, family, []);
		const only = remove[0];
		if (remove.length === 1 && only && isPlaceholder(only, empty))
			remove.length = 0;
		else create.push(empty);
	}
	const distribution = service.spec.trafficDistribution;
	const touched = new Set([...update.map(({ slice }) => slice), ...remove]);
	for (const slice of present)
		if (!touched.has(slice)) update.push({ slice, next: slice });
	for (const each of update) each.next = withHints(each.next, distribution);
	const made = create.map((slice) => withHints(slice, distribution));
	recycle(service, made, update, remove);
	plan.create.push(...made);
	plan.update.push(...update.filter(({ slice, next }) => slice !== next));
	plan.remove.push(...remove);
}

/** A slice that would be deleted is better changed into one that would be made. */
function recycle(
	service: Service,
	create: EndpointSlice[],
	update: SlicePlan["update"],
	remove: EndpointSlice[],
): void {
	for (const slice of [...remove]) {
		if (!isOwned(slice, service)) continue;
		const next = create.pop();
		if (!next) return;
		remove.splice(remove.indexOf(slice), 1);
		const { labels, ownerReferences } = next.metadata;
		const metadata = { ...slice.metadata, labels, ownerReferences };
		update.push({
			slice,
			next: {
				...slice,
				...next,
				metadata: metadata as EndpointSlice["metadata"],
			},
		});
	}
}

function planGroup(
	service: Service,
	family: IPFamily,
	{ ports, endpoints }: Group,
	slices: readonly EndpointSlice[],
	{ create, update, remove }: Pick<SlicePlan, "create" | "update" | "remove">,
): void {
	const missing = new Map(endpoints);
	const unchanged: EndpointSlice[] = [];
	const changed: { slice: EndpointSlice; endpoints: Endpoint[] }[] = [];
	for (const slice of slices) {
		const before = slice.endpoints ?? [];
		const kept: Endpoint[] = [];
		let same = true;
		for (const old of before) {
			const wanted = missing.get(identity(old));
			if (!wanted) continue;
			missing.delete(identity(old));
			// Hints are judged once all endpoints have their place.
			const { hints } = old;
			kept.push(hints ? { ...wanted, hints } : wanted);
			same &&= sameMeaning({ ...wanted, hints }, old);
		}
		same &&= kept.length === before.length;
		if (!same && kept.length === 0) remove.push(slice);
		else if (!same || !hasLabelsOf(slice, service))
			changed.push({ slice, endpoints: same ? [...before] : kept });
		else unchanged.push(slice);
	}
	changed.sort((a, b) => b.endpoints.length - a.endpoints.length);
	for (const each of changed) fill(each.endpoints, missing);
	while (missing.size > 0) {
		const roomy =
			missing.size < sliceLimit && tightest(unchanged, missing.size);
		if (roomy) {
			unchanged.splice(unchanged.indexOf(roomy), 1);
			const filled = [...(roomy.endpoints ?? [])];
			fill(filled, missing);
			changed.push({ slice: roomy, endpoints: filled });
			continue;
		}
		const made = newSlice(service, family, ports);
		fill(made.endpoints ?? [], missing);
		create.push(made);
	}
	for (const { slice, endpoints: next } of changed)
		update.push({
			slice,
			next: {
				...slice,
				metadata: { ...slice.metadata, labels: labelsOf(service) },
				endpoints: next,
			},
		});
}

function fill(endpoints: Endpoint[], missing: Map<string, Endpoint>): void {
	for (const [key, endpoint] of missing) {
		if (endpoints.length >= sliceLimit) return;
		endpoints.push(endpoint);
		missing.delete(key);
	}
}

/** The slice that is fullest when `count` more are in it. */
function tightest(
	slices: readonly EndpointSlice[],
	count: number,
): EndpointSlice | undefined {
	const size = (slice: EndpointSlice) => slice.endpoints?.length ?? 0;
	return slices
		.filter((slice) => size(slice) + count <= sliceLimit)
		.sort((a, b) => size(b) - size(a))[0];
}

function newSlice(
	service: Service,
	addressType: IPFamily,
	ports: EndpointPort[],
): EndpointSlice {
	const { name, namespace } = service.metadata;
	return {
		metadata: {
			// Given when it is created.
			name: "",
			generateName: `${name}-`,
			...(namespace === undefined ? {} : { namespace }),
			labels: labelsOf(service),
			ownerReferences: [controllerReference(resources.services, service)],
		},
		addressType,
		endpoints: [],
		ports,
	};
}

function labelsOf(service: Service): Record<string, string> {
	return {
		...ownLabels(service.metadata.labels),
		...(isHeadless(service) ? { [headlessLabel]: "" } : {}),
		[serviceNameLabel]: service.metadata.name,
		[managedByLabel]: managedBy,
	};
}

/** As upstream: the labels that a slice has from this controller are not looked at. */
function hasLabelsOf(slice: EndpointSlice, service: Service): boolean {
	return sameMeaning(
		ownLabels(slice.metadata.labels),
		ownLabels(service.metadata.labels),
	);
}

function ownLabels(
	labels: Record<string, string> | undefined,
): Record<string, string> {
	return Object.fromEntries(
		Object.entries(labels ?? {}).filter(([key]) => !reserved.includes(key)),
	);
}

function isPlaceholder(slice: EndpointSlice, empty: EndpointSlice): boolean {
	return (
		sameMeaning(slice.endpoints, []) &&
		sameMeaning(slice.ports, []) &&
		sameMeaning(slice.metadata.labels, empty.metadata.labels) &&
		sameMeaning(slice.metadata.ownerReferences, empty.metadata.ownerReferences)
	);
}

function isOwned({ metadata }: EndpointSlice, service: Service): boolean {
	return (metadata.ownerReferences ?? []).some(
		({ kind, uid }) => kind === "Service" && uid === service.metadata.uid,
	);
}

/** What upstream hashes of an endpoint: everything else about it can change in place. */
function identity({ addresses, hostname, targetRef }: Endpoint): string {
	return JSON.stringify([
		addresses,
		hostname,
		targetRef?.namespace,
		targetRef?.name,
		targetRef?.uid,
	]);
}

/** Ports in no particular order. */
export function portKey(ports: readonly EndpointPort[]): string {
	return ports
		.map(({ name = "", protocol = "TCP", port, appProtocol }) =>
			JSON.stringify([name, protocol, port, appProtocol]),
		)
		.sort()
		.join();
}
