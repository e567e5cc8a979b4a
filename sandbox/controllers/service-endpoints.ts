import type {
	Endpoint,
	EndpointSlice,
	IPFamily,
	Node,
	Pod,
	Service,
	ServicePort,
} from "../../operator/api/core.ts";
import { isIPv6 } from "node:net";
import { isReady, isTerminal } from "./pod-state.ts";

export type EndpointPort = NonNullable<EndpointSlice["ports"]>[number];

/** Whether the endpoint controllers have anything to do for a Service. */
export function hasEndpoints({ spec }: Service): boolean {
	return spec.type !== "ExternalName" && spec.selector !== undefined;
}

export function isHeadless({ spec }: Service): boolean {
	return !spec.clusterIP || spec.clusterIP === "None";
}

/** Whether a pod can be an endpoint: it has an address and has not run to its end. */
export function isReachable(pod: Pod): boolean {
	return !isTerminal(pod) && addressesOf(pod).length > 0;
}

export function addressesOf({ status }: Pod): string[] {
	const all = status?.podIPs?.map(({ ip }) => ip) ?? [];
	return all.length > 0 ? all : status?.podIP ? [status.podIP] : [];
}

export const familyOf = (ip: string): IPFamily =>
	isIPv6(ip) ? "IPv6" : "IPv4";

/** The families that a Service has slices for. */
export function familiesOf({ spec }: Service): IPFamily[] {
	if (spec.ipFamilies?.length) return [...spec.ipFamilies];
	return spec.clusterIP && spec.clusterIP !== "None"
		? [familyOf(spec.clusterIP)]
		: ["IPv4", "IPv6"];
}

/** The ports of a Service as they are on one pod; a named port that the pod does not have is left out. */
export function portsOn(pod: Pod, { spec }: Service): EndpointPort[] {
	return (spec.ports ?? []).flatMap((port) => {
		const number = targetPort(pod, port);
		if (number === undefined) return [];
		const { name = "", protocol = "TCP", appProtocol } = port;
		return [
			{
				name,
				protocol,
				port: number,
				...(appProtocol === undefined ? {} : { appProtocol }),
			},
		];
	});
}

function targetPort(
	{ spec }: Pod,
	{ port, targetPort = port, protocol = "TCP" }: ServicePort,
): number | undefined {
	if (typeof targetPort === "number") return targetPort;
	return [
		...spec.containers,
		...(spec.initContainers ?? []).filter(
			(each) => (each as { restartPolicy?: string }).restartPolicy === "Always",
		),
	]
		.flatMap(({ ports = [] }) => ports)
		.find(
			(each) =>
				each.name === targetPort && (each.protocol ?? "TCP") === protocol,
		)?.containerPort;
}

/** The pod's own host name, if DNS is to give it one below the Service. */
export function hostnameOf(
	{ metadata, spec }: Pod,
	service: Service,
): string | undefined {
	return spec.hostname &&
		spec.subdomain === service.metadata.name &&
		metadata.namespace === service.metadata.namespace
		? spec.hostname
		: undefined;
}

/** A pod as an endpoint of one family (podToEndpoint of k8s.io/endpointslice). */
export function endpointOf(
	pod: Pod,
	service: Service,
	node: Node | undefined,
	family: IPFamily,
): Endpoint | undefined {
	const addresses = addressesOf(pod).filter((ip) => familyOf(ip) === family);
	if (addresses.length === 0) return undefined;
	const { metadata, spec } = pod;
	const serving = isReady(pod);
	const terminating = metadata.deletionTimestamp !== undefined;
	const hostname = hostnameOf(pod, service);
	const zone = node?.metadata.labels?.["topology.kubernetes.io/zone"];
	const { namespace, name, uid } = metadata;
	return {
		addresses,
		conditions: {
			ready:
				service.spec.publishNotReadyAddresses === true ||
				(serving && !terminating),
			serving,
			terminating,
		},
		...(hostname === undefined ? {} : { hostname }),
		targetRef: {
			kind: "Pod",
			name,
			...(namespace === undefined ? {} : { namespace }),
			...(uid === undefined ? {} : { uid }),
		},
		...(spec.nodeName ? { nodeName: spec.nodeName } : {}),
		...(zone ? { zone } : {}),
	};
}

/** Whether a change of a pod can matter to a Service's endpoints. */
export function changesEndpoints(old: Pod, pod: Pod): boolean {
	const facts = (each: Pod) =>
		JSON.stringify([
			each.metadata.labels,
			each.metadata.deletionTimestamp,
			each.spec.nodeName,
			isTerminal(each),
			isReady(each),
			addressesOf(each),
		]);
	return facts(old) !== facts(pod);
}
