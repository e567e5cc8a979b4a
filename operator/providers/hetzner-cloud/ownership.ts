import { cloudLabels } from "../../api/names.ts";
import type { BalancerIdentity } from "../../model/balancer/balancer.ts";
import type { CloudBalancer, CloudService, CloudTarget } from "./wire.ts";

/**
 * Which listeners and targets of a balancer are Fairlead's. The wire gives a listener or a target no label of its own,
 * so the balancer's labels `fairlead.dev/owns-0`, `-1`… list what Fairlead put there; a part is listed before it is
 * added. What is not listed was put there by somebody else and is never changed (docs/adr, balancer parts).
 */
const ownsPrefix = "fairlead.dev/owns-";

/** Longest value of a Hetzner label. */
const valueLength = 63;

/** Names a part in the list: p80, u53 and c132 are TCP, UDP and SCTP listeners, s42 a server, i10.0.0.7 an address. */
export type PartKey = string;

export function listenerKey(protocol: string, port: number): PartKey {
	const letter = protocol === "udp" ? "u" : protocol === "sctp" ? "c" : "p";
	return `${letter}${port}`;
}

export function serviceKey(service: CloudService): PartKey {
	return listenerKey(service.protocol, service.listen_port);
}

/** Undefined for kinds of target Fairlead never makes. */
export function targetKey(target: CloudTarget): PartKey | undefined {
	if (target.type === "server") return `s${target.server.id}`;
	if (target.type !== "ip") return undefined;
	// A label value has no colons and ends in a letter or digit.
	const value = target.ip.ip.toLowerCase().replaceAll(":", "-");
	return `i${value.endsWith("-") ? `${value}0` : value}`;
}

export function isListener(key: PartKey): boolean {
	return /^[puc]/.test(key);
}

/** The parts a balancer's labels list. */
export function ownedParts(labels: Record<string, string>): Set<PartKey> {
	const parts = new Set<PartKey>();
	for (const [name, value] of Object.entries(labels))
		if (name.startsWith(ownsPrefix))
			for (const part of value.split("_")) if (part) parts.add(part);
	return parts;
}

/** Labels that list `parts`, the same for the same parts. */
export function ownsLabels(parts: Iterable<PartKey>): Record<string, string> {
	const values: string[] = [];
	for (const part of [...parts].sort()) {
		const last = values.at(-1);
		if (last !== undefined && last.length + 1 + part.length <= valueLength)
			values[values.length - 1] = `${last}_${part}`;
		else values.push(part);
	}
	return Object.fromEntries(
		values.map((value, at) => [`${ownsPrefix}${at}`, value]),
	);
}

/** Labels that say whose balancer it is. */
export function identityLabels(
	identity: BalancerIdentity,
	service: { namespace: string; name: string },
): Record<string, string> {
	return {
		[cloudLabels.cluster]: identity.clusterId,
		[cloudLabels.serviceUid]: identity.serviceUid,
		[cloudLabels.serviceNamespace]: service.namespace,
		[cloudLabels.serviceName]: service.name,
	};
}

/** Labels of somebody else, which every write carries on. */
export function foreignLabels(
	labels: Record<string, string>,
): Record<string, string> {
	const ours = new Set<string>(Object.values(cloudLabels));
	return Object.fromEntries(
		Object.entries(labels).filter(
			([name]) => !ours.has(name) && !name.startsWith(ownsPrefix),
		),
	);
}

/** Whose a balancer that answers to our name is: labelled as ours, as another's, or not labelled at all. */
export function holder(
	balancer: CloudBalancer,
	identity: BalancerIdentity,
): "ours" | "another's" | "nobody's" {
	const cluster = balancer.labels[cloudLabels.cluster];
	const uid = balancer.labels[cloudLabels.serviceUid];
	if (cluster === undefined && uid === undefined) return "nobody's";
	return cluster === identity.clusterId && uid === identity.serviceUid
		? "ours"
		: "another's";
}
