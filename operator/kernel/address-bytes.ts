import { isIPv4 } from "node:net";
import { formatIp, parseIp } from "../model/addresses/ip.ts";

/** An address in network order: 4 bytes for IPv4, 16 for IPv6. Throws RangeError for what is no address. */
export function addressBytes(address: string): Buffer {
	if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
	const read = parseIp(address);
	if (!read.ok) throw new RangeError(read.reason);
	return Buffer.from(read.value.value.toString(16).padStart(32, "0"), "hex");
}

/** Canonical text of an address in network order, 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string {
	return formatIp({
		family: bytes.length === 4 ? "IPv4" : "IPv6",
		value: BigInt(`0x${Buffer.from(bytes).toString("hex")}`),
	});
}
