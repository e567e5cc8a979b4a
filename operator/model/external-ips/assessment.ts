import type { Service } from "../../api/core.ts";
import { formatIp, parseIp } from "../addresses/ip.ts";
import type { Grant } from "./grants.ts";

/** Who else has an address. */
export type AddressUser =
	| {
			role: "ExternalIP";
			/** `namespace/name`. */
			service: string;
			/** metadata.creationTimestamp. */
			created: string;
			/** `TCP/80`. */
			ports: readonly string[];
	  }
	| { role: "Balancer" | "ClusterIP"; service: string }
	| { role: "Node"; node: string };

export type FindingCode =
	| "AddressInvalid"
	| "NotGranted"
	| "AddressOfCluster"
	| "AddressInUse";

/** One external IP of a Service, and what is wrong with it. */
export interface Finding {
	/** Canonical; as it was written if it cannot be read. */
	ip: string;
	/** The pool that grants it. */
	pool?: string;
	problem?: { code: FindingCode; message: string };
}

export interface AssessmentContext {
	/** `namespace/name`. */
	key: string;
	/** What the pools say of an address for this Service; undefined: nothing restricts external IPs here. */
	grantOf: ((ip: string) => Grant) | undefined;
	/** Who else has it. Of other Services' external IPs only those that are granted. */
	usersOf: (ip: string) => readonly AddressUser[];
}

/**
 * What is wrong with each external IP, in the order given. Grants come first; of the rest, other kinds of addresses win
 * against external IPs, and of two Services that want one address, protocol and port the older wins, then the lesser
 * name: as in the rules (model/rules/claims.ts).
 */
export function assess(
	service: Service,
	addresses: readonly string[],
	context: AssessmentContext,
): Finding[] {
	return addresses.map((text) => {
		const address = parseIp(text.trim());
		if (!address.ok)
			return {
				ip: text,
				problem: {
					code: "AddressInvalid",
					message: `${address.reason}; correct it in spec.externalIPs`,
				},
			};
		const ip = formatIp(address.value);
		const grant = context.grantOf?.(ip);
		if (grant?.kind === "Denied")
			return {
				ip,
				problem: {
					code: "AddressOfCluster",
					message: `${ip} is one of the cluster's own addresses, which no Service may take${ownerText(context.usersOf(ip))}; remove it`,
				},
			};
		if (grant?.kind === "NotGranted")
			return {
				ip,
				problem: { code: "NotGranted", message: notGranted(ip, grant) },
			};
		const clash = clashOf(service, ip, context);
		return {
			ip,
			...(grant ? { pool: grant.pool } : {}),
			...(clash ? { problem: { code: "AddressInUse", message: clash } } : {}),
		};
	});
}

function notGranted(
	ip: string,
	{ pool, leftOut }: Extract<Grant, { kind: "NotGranted" }>,
): string {
	if (leftOut)
		return `${ip} is in AddressPool ${pool}, for which ExternalIPPolicy compiled has no room, so that it is granted to nobody; write the addresses of the pool as fewer, larger CIDRs`;
	return pool === undefined
		? `${ip} is in no AddressPool with uses ExternalIP; choose an address of one, or remove it`
		: `${ip} is in AddressPool ${pool}, which does not admit this Service or its namespace; choose an address of another pool, or remove it`;
}

function ownerText(users: readonly AddressUser[]): string {
	const [user] = users.filter(({ role }) => role !== "ExternalIP");
	return user ? ` (${userText(user)})` : "";
}

function userText(user: AddressUser): string {
	switch (user.role) {
		case "Node":
			return `it is an address of Node ${user.node}`;
		case "Balancer":
			return `it is the balancer address of Service ${user.service}`;
		case "ClusterIP":
			return `it is the ClusterIP of Service ${user.service}`;
		default:
			return `it is an external IP of Service ${user.service}`;
	}
}

function clashOf(
	service: Service,
	ip: string,
	{ key, usersOf }: AssessmentContext,
): string | undefined {
	const ports = portsOf(service);
	const created = service.metadata.creationTimestamp ?? "";
	const said: string[] = [];
	for (const user of usersOf(ip)) {
		if (user.role !== "ExternalIP") {
			said.push(`${ip} is taken: ${userText(user)}; choose another address`);
			continue;
		}
		const both = ports.filter((port) => user.ports.includes(port));
		if (both.length === 0) continue;
		if (user.created > created) continue;
		if (user.created === created && user.service > key) continue;
		const why = user.created < created ? "is older" : "comes first by name";
		said.push(
			`${ip} ${both.join(" and ")} is served by Service ${user.service}, which ${why}; choose another address or port`,
		);
	}
	return said.length > 0 ? said.join("; ") : undefined;
}

/** `TCP/80` of each port. */
export function portsOf({ spec }: Service): string[] {
	return (spec.ports ?? []).map(
		({ protocol = "TCP", port }) => `${protocol}/${port}`,
	);
}
