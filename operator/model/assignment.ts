import type { Service } from "../api/core.ts";
import { annotations, conditions } from "../api/names.ts";

/**
 * The record of what a Service holds, in annotation `fairlead.dev/assigned`. Agents program and announce from it, and
 * after a restart the controller takes it as true; `status.loadBalancer.ingress` follows it.
 */
export interface Assignment {
	addresses: string[];
	class: string;
	/** AddressPool of each address, in the same order; absent when the provider picked them. */
	pools?: string[];
	/**
	 * Rises with every assignment in the cluster, so that of two claims on one address the newer is known: the highest
	 * Service resourceVersion the controller had seen when it decided (comparable numbers since Kubernetes 1.35).
	 */
	number: string;
}

export function assignmentOf(service: Service): Assignment | undefined {
	const text = service.metadata.annotations?.[annotations.assigned];
	return text === undefined ? undefined : parseAssignment(text);
}

/**
 * The record, if status bears out each of its addresses: shown in ingress, or named by a true condition AddressAssigned,
 * which is written in the same patch. Whoever may edit a Service can write a record; only who may edit services/status,
 * as the controller may, can write these. Addresses that nothing bears out are nobody's.
 */
export function vouchedAssignmentOf(service: Service): Assignment | undefined {
	const record = assignmentOf(service);
	if (!record) return undefined;
	const { loadBalancer, conditions: said = [] } = service.status ?? {};
	const shown = (loadBalancer?.ingress ?? []).map(({ ip }) => ip);
	const assigned = said.find(({ type }) => type === conditions.addressAssigned);
	const named =
		assigned?.status === "True" ? namedAddresses(assigned.message) : [];
	return record.addresses.every(
		(address) => shown.includes(address) || named.includes(address),
	)
		? record
		: undefined;
}

/** What condition AddressAssigned says when it is true, which `namedAddresses` reads: `10.0.0.1, 2001:db8::1 (pool lan)`. */
export function assignedMessage(addresses: string[], origin: string): string {
	return `${addresses.join(", ")} (${origin})`;
}

function namedAddresses(message: string): string[] {
	const end = message.indexOf(" (");
	return end < 0 ? [] : message.slice(0, end).split(", ");
}

/** Undefined for what is not a record: somebody edited it, and it will be written anew. */
export function parseAssignment(text: string): Assignment | undefined {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return undefined;
	}
	if (typeof value !== "object" || value === null) return undefined;
	const record = value as Record<string, unknown>;
	const strings = (list: unknown): list is string[] =>
		Array.isArray(list) && list.every((item) => typeof item === "string");
	if (!strings(record.addresses) || record.addresses.length === 0)
		return undefined;
	if (typeof record.class !== "string") return undefined;
	if (typeof record.number !== "string" || !/^\d+$/.test(record.number))
		return undefined;
	const assignment: Assignment = {
		addresses: record.addresses,
		class: record.class,
		number: record.number,
	};
	if (strings(record.pools)) assignment.pools = record.pools;
	return assignment;
}

/** Canonical text: the same assignment is the same string, so that nothing is written twice. */
export function formatAssignment(assignment: Assignment): string {
	const { addresses, class: className, pools, number } = assignment;
	return JSON.stringify({
		addresses,
		class: className,
		...(pools ? { pools } : {}),
		number,
	});
}

/** Whether two assignments give the same addresses from the same place, whatever their numbers. */
export function sameAssignment(a: Assignment, b: Assignment): boolean {
	return (
		a.class === b.class &&
		a.addresses.join() === b.addresses.join() &&
		(a.pools ?? []).join() === (b.pools ?? []).join()
	);
}
