import type { Service } from "../../api/core.ts";
import { annotations, conditions } from "../../api/names.ts";

/**
 * The external IPs that Fairlead assigned to a Service, in annotation `fairlead.dev/assigned-external-ips`. Written before
 * they go into spec.externalIPs and removed after they left it, so that nobody's own entries there are ever taken for
 * ours. Nodes whose rules Fairlead programs carry them from here, whether or not the API server keeps spec.externalIPs.
 */
export interface ExternalIPRecord {
	/** Canonical, at most one per family. */
	addresses: string[];
	/** AddressPool of each, in the same order. */
	pools: string[];
	/** As `number` of an Assignment: of two claims on one address the higher is the newer. */
	number: string;
}

export function externalIPRecordOf(
	service: Service,
): ExternalIPRecord | undefined {
	const text = service.metadata.annotations?.[annotations.assignedExternalIPs];
	return text === undefined ? undefined : parseExternalIPRecord(text);
}

/** How the message of condition ExternalIPs begins where it is False and something is assigned all the same. */
export const assignedPrefix = "assigned: ";

/**
 * The record, if condition ExternalIPs names each of its addresses with this pool, which only who may edit
 * services/status can write. Only the list that the message begins with counts: what a user can put into the message comes
 * after it, and no message begins with words of his.
 */
export function vouchedExternalIPRecordOf(
	service: Service,
): ExternalIPRecord | undefined {
	const record = externalIPRecordOf(service);
	const said = service.status?.conditions?.find(
		({ type }) => type === conditions.externalIPs,
	);
	if (!record || !said) return undefined;
	const { status, message } = said;
	const prefix = status === "True" ? "" : assignedPrefix;
	if (!message.startsWith(prefix)) return undefined;
	const [list = ""] = message.slice(prefix.length).split(";");
	const named = list.split(", ");
	const { addresses, pools } = record;
	return addresses.every((ip, at) =>
		named.includes(`${ip} (pool ${pools[at]})`),
	)
		? record
		: undefined;
}

/** Undefined for what is not a record: somebody edited it, and it will be written anew. */
export function parseExternalIPRecord(
	text: string,
): ExternalIPRecord | undefined {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return undefined;
	}
	if (typeof value !== "object" || value === null) return undefined;
	const { addresses, pools, number } = value as Record<string, unknown>;
	if (!areTexts(addresses) || !areTexts(pools)) return undefined;
	if (addresses.length === 0 || addresses.length !== pools.length)
		return undefined;
	if (typeof number !== "string" || !/^\d+$/.test(number)) return undefined;
	return { addresses, pools, number };
}

/** Canonical text: the same record is the same string, so that nothing is written twice. */
export function formatExternalIPRecord({
	addresses,
	pools,
	number,
}: ExternalIPRecord): string {
	return JSON.stringify({ addresses, pools, number });
}

function areTexts(list: unknown): list is string[] {
	return Array.isArray(list) && list.every((item) => typeof item === "string");
}
