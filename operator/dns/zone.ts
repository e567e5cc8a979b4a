import { type DnsRecord, type RecordData, types } from "./message.ts";

/** A name that exists in a zone. */
export interface ZoneName {
	/** The other name it stands for; it then has no records of its own. */
	alias?: string;
	/** Records of one type, none or more; default none. */
	records?(type: number): RecordData[];
	/** What helps who asked for `type`: the addresses of the names its records point to. */
	additional?(type: number): DnsRecord[];
	/** Seconds, if not the zone's. */
	ttl?: number;
}

/** The part of the DNS one data source answers for. */
export interface Zone {
	/** Folded. */
	name: string;
	/** Seconds. */
	ttl: number;
	/** Names not found in it are the upstream resolvers' business, if there are any. */
	shared?: boolean;
	/** The name with these labels left of the zone's; undefined when there is none. */
	find(labels: string[]): ZoneName | undefined;
	/** Seconds since the epoch of the latest change. */
	serial(): number;
}

/** A name that has names below it and nothing else: it exists, so it must not be denied (RFC 8020). */
export const nothing: ZoneName = {};

/** What SOA records of all zones have in common is CoreDNS's choice, so that caches behave alike. */
export function soaRecord(zone: Zone): DnsRecord {
	const { name, ttl } = zone;
	return {
		name,
		ttl,
		data: {
			type: types.SOA,
			primary: `ns.dns.${name}`,
			mailbox: `hostmaster.${name}`,
			serial: zone.serial() >>> 0,
			refresh: 7200,
			retry: 1800,
			expire: 86_400,
			minimum: ttl,
		},
	};
}

/** A name with records of one type only. */
export function only(...data: RecordData[]): ZoneName {
	return { records: (type) => data.filter((one) => one.type === type) };
}
