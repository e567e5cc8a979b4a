import type { Pod, Service } from "../../operator/api/core.ts";
import type { EndpointAddress, EndpointSubset } from "../objects.ts";
import { isReady } from "./pod-state.ts";
import {
	addressesOf,
	type EndpointPort,
	familiesOf,
	familyOf,
	hostnameOf,
	isHeadless,
	isReachable,
	portsOn,
} from "./service-endpoints.ts";

/** Addresses in one Endpoints object, at most. */
export const addressLimit = 1_000;

type SubsetPort = NonNullable<EndpointSubset["ports"]>[number];

/**
 * The subsets of a Service's Endpoints (pkg/controller/endpoint): addresses that offer the same ports stand together.
 * Equal worlds give equal text, in an order of our own (upstream's is that of its hashes).
 */
export function subsetsOf(
	service: Service,
	pods: readonly Pod[],
): EndpointSubset[] {
	const { publishNotReadyAddresses = false, ports = [] } = service.spec;
	/** By port: addresses and whether they are ready there; "" for pods with no port at all. */
	const byPort = new Map<
		string,
		{ port: SubsetPort | undefined; pods: Map<Pod, boolean> }
	>();
	const offer = (port: SubsetPort | undefined, pod: Pod) => {
		const key = port ? JSON.stringify(port) : "";
		const entry = byPort.get(key) ?? { port, pods: new Map() };
		byPort.set(key, entry);
		entry.pods.set(pod, publishNotReadyAddresses || isReady(pod));
	};
	for (const pod of pods) {
		if (!isReachable(pod) || addressOf(service, pod) === undefined) continue;
		if (pod.metadata.deletionTimestamp && !publishNotReadyAddresses) continue;
		if (ports.length === 0 && isHeadless(service)) offer(undefined, pod);
		for (const port of portsOn(pod, service)) offer(subsetPort(port), pod);
	}
	const subsets = new Map<string, EndpointSubset>();
	for (const { port, pods: offering } of byPort.values()) {
		const all = [...offering]
			.map(([pod, ready]) => ({ address: address(service, pod), ready }))
			.sort((a, b) => (sortKey(a.address) < sortKey(b.address) ? -1 : 1));
		const key = all.map((each) => sortKey(each.address)).join();
		const subset = subsets.get(key) ?? group(all);
		subsets.set(key, subset);
		if (port) subset.ports = [...(subset.ports ?? []), port].sort(byText);
	}
	return [...subsets.values()].sort(byText);
}

function group(
	all: { address: EndpointAddress; ready: boolean }[],
): EndpointSubset {
	const ready = all.filter((each) => each.ready).map((each) => each.address);
	const others = all.filter((each) => !each.ready).map((each) => each.address);
	return {
		...(ready.length > 0 ? { addresses: ready } : {}),
		...(others.length > 0 ? { notReadyAddresses: others } : {}),
	};
}

/** The pod's address of the Service's first family. */
function addressOf(service: Service, pod: Pod): string | undefined {
	const family = familiesOf(service)[0];
	return addressesOf(pod).find((ip) => familyOf(ip) === family);
}

function address(service: Service, pod: Pod): EndpointAddress {
	const { name, namespace, uid } = pod.metadata;
	const hostname = hostnameOf(pod, service);
	return {
		ip: addressOf(service, pod) ?? "",
		...(hostname === undefined ? {} : { hostname }),
		...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
		targetRef: {
			kind: "Pod",
			name,
			...(namespace === undefined ? {} : { namespace }),
			...(uid === undefined ? {} : { uid }),
		},
	};
}

const sortKey = ({ ip, targetRef }: EndpointAddress) =>
	`${ip} ${targetRef?.uid ?? ""}`;

function subsetPort({
	name,
	port = 0,
	protocol = "TCP",
	appProtocol,
}: EndpointPort): SubsetPort {
	return {
		...(name ? { name } : {}),
		port,
		protocol,
		...(appProtocol === undefined ? {} : { appProtocol }),
	};
}

function byText(a: unknown, b: unknown): number {
	return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

/** Cuts down to the limit, ready addresses before others, every subset in proportion; the same list if it fits. */
export function truncated(subsets: EndpointSubset[]): EndpointSubset[] {
	const count = (field: "addresses" | "notReadyAddresses") =>
		subsets.reduce((total, each) => total + (each[field]?.length ?? 0), 0);
	const ready = count("addresses");
	if (ready + count("notReadyAddresses") <= addressLimit) return subsets;
	const cut = ready > addressLimit ? "addresses" : "notReadyAddresses";
	const room = cut === "addresses" ? addressLimit : addressLimit - ready;
	const total = count(cut);
	let left = room;
	return subsets.map((subset) => {
		const { addresses, notReadyAddresses, ports } = subset;
		const all = subset[cut] ?? [];
		const share = Math.min(left, Math.ceil((all.length / total) * room));
		const kept = all.slice(0, share);
		left -= kept.length;
		return {
			...(cut === "addresses"
				? kept.length > 0 && { addresses: kept }
				: addresses && { addresses }),
			...(cut === "notReadyAddresses" &&
				kept.length > 0 &&
				notReadyAddresses && { notReadyAddresses: kept }),
			...(ports && { ports }),
		};
	});
}
