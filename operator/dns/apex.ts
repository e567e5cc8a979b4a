import type { RecordAddress } from "./addresses.ts";
import { type RecordData, types } from "./message.ts";
import { nothing, only, soaRecord, type Zone, type ZoneName } from "./zone.ts";

/**
 * The names that a zone has for itself: SOA and NS at its apex, the name server's addresses at `ns.dns`. Undefined for
 * every other name.
 */
export function apexName(
	zone: Zone,
	nameServer: readonly RecordAddress[],
	labels: string[],
): ZoneName | undefined {
	const [first, second] = labels;
	if (labels.length === 0) {
		const records = (type: number): RecordData[] => {
			if (type === types.SOA) return [soaRecord(zone).data];
			return type === types.NS && nameServer.length > 0
				? [{ type: types.NS, name: `ns.dns.${zone.name}` }]
				: [];
		};
		const additional = (type: number) =>
			type === types.NS
				? nameServer.map((address) => ({
						name: `ns.dns.${zone.name}`,
						ttl: zone.ttl,
						data: addressData(address),
					}))
				: [];
		return { records, additional };
	}
	if (labels.length === 1 && first === "dns") return nothing;
	if (labels.length === 2 && first === "ns" && second === "dns")
		return only(...nameServer.map(addressData));
	return undefined;
}

export function addressData({ type, bytes }: RecordAddress): RecordData {
	return { type, address: bytes };
}
