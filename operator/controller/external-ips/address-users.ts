import type { Node, Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import type { AddressUser } from "../../model/external-ips/assessment.ts";
import { portsOf } from "../../model/external-ips/assessment.ts";
import {
	type AddressRoles,
	addressRoles,
	canonical,
} from "../../model/external-ips/roles.ts";

/** What one Service has, and what others must know of it. */
interface Footprint {
	roles: AddressRoles;
	created: string;
	ports: readonly string[];
}

/**
 * Who has which address, kept up to date change by change: asking who else has an external IP costs the number of those
 * who have it, whatever the size of the cluster.
 */
export class AddressUsers {
	readonly #footprints = new Map<string, Footprint>();
	readonly #services = new Map<string, Set<string>>();
	readonly #nodes = new Map<string, Set<string>>();
	readonly #addressesOfNode = new Map<string, string[]>();

	/** Takes a Service as it is now (undefined: gone). Returns the other Services that see another world now. */
	setService(key: string, service: Service | undefined): Set<string> {
		const before = this.#footprints.get(key);
		const after = service && footprintOf(service);
		const seen = new Set<string>();
		if (sameFootprint(before, after)) return seen;
		const old = addressesOf(before);
		const now = addressesOf(after);
		for (const ip of old) {
			const users = this.#services.get(ip);
			users?.delete(key);
			if (users?.size === 0) this.#services.delete(ip);
		}
		if (after) this.#footprints.set(key, after);
		else this.#footprints.delete(key);
		for (const ip of now) add(this.#services, ip, key);
		for (const ip of [...old, ...now])
			for (const other of this.externalUsers(ip))
				if (other !== key) seen.add(other);
		return seen;
	}

	/** As `setService`, for the addresses of a Node. */
	setNode(name: string, node: Node | undefined): Set<string> {
		const before = this.#addressesOfNode.get(name) ?? [];
		const after = node ? nodeAddresses(node) : [];
		const seen = new Set<string>();
		if (before.join() === after.join()) return seen;
		for (const ip of before) {
			const names = this.#nodes.get(ip);
			names?.delete(name);
			if (names?.size === 0) this.#nodes.delete(ip);
		}
		for (const ip of after) add(this.#nodes, ip, name);
		if (after.length > 0) this.#addressesOfNode.set(name, after);
		else this.#addressesOfNode.delete(name);
		for (const ip of [...before, ...after])
			for (const key of this.externalUsers(ip)) seen.add(key);
		return seen;
	}

	/** Keys of the Services that have it as an external IP. */
	externalUsers(ip: string): string[] {
		return [...(this.#services.get(ip) ?? [])].filter((key) =>
			this.#footprints.get(key)?.roles.externalIPs.includes(ip),
		);
	}

	/** Everybody but the Service `key` that has it, in an order of its own. */
	usersOf(ip: string, key: string): AddressUser[] {
		const users: AddressUser[] = [...(this.#nodes.get(ip) ?? [])]
			.sort()
			.map((node) => ({ role: "Node", node }));
		for (const service of [...(this.#services.get(ip) ?? [])].sort()) {
			const footprint = this.#footprints.get(service);
			if (service === key || !footprint) continue;
			const { roles, created, ports } = footprint;
			if (roles.clusterIPs.includes(ip))
				users.push({ role: "ClusterIP", service });
			if (roles.balancer.includes(ip))
				users.push({ role: "Balancer", service });
			if (roles.externalIPs.includes(ip))
				users.push({ role: "ExternalIP", service, created, ports });
		}
		return users;
	}
}

export function nodeAddresses(node: Node): string[] {
	return canonical(
		(node.status?.addresses ?? [])
			.filter(({ type }) => type === "InternalIP" || type === "ExternalIP")
			.map(({ address }) => address),
	);
}

function footprintOf(service: Service): Footprint {
	return {
		roles: addressRoles(service),
		created: service.metadata.creationTimestamp ?? "",
		ports: portsOf(service),
	};
}

function addressesOf(footprint: Footprint | undefined): Set<string> {
	if (!footprint) return new Set();
	const { externalIPs, balancer, clusterIPs } = footprint.roles;
	return new Set([...externalIPs, ...balancer, ...clusterIPs]);
}

function sameFootprint(
	a: Footprint | undefined,
	b: Footprint | undefined,
): boolean {
	return JSON.stringify(a) === JSON.stringify(b);
}

function add(map: Map<string, Set<string>>, ip: string, who: string): void {
	const known = map.get(ip);
	if (known) known.add(who);
	else map.set(ip, new Set([who]));
}

/** `namespace/name` of everything in an iterable of Services, for those who fill the index at once. */
export function fill(users: AddressUsers, services: Iterable<Service>): void {
	for (const service of services) users.setService(objectKey(service), service);
}
