import { isIPv4 } from "node:net";
import { formatIp, parseIp } from "../model/addresses/ip.ts";

/** An address in network order: 4 bytes for IPv4, 16 for IPv6. Throws RangeError for what is no address. */
export function addressBytes(address: string): Buffer {
	if (isIPv4(address)) return ipv4Bytes(address);
	const read = parseIp(address);
	if (!read.ok) throw new RangeError(read.reason);
	return Buffer.from(read.value.value.toString(16).padStart(32, "0"), "hex");
}

/** By hand: a large cluster's rules have tens of thousands of addresses. */
function ipv4Bytes(address: string): Buffer {
	const bytes = Buffer.allocUnsafe(4);
	let at = 0;
	let value = 0;
	for (let index = 0; index < address.length; index++) {
		const code = address.charCodeAt(index);
		if (code === DOT) {
			bytes[at++] = value;
			value = 0;
		} else value = value * 10 + code - ZERO;
	}
	bytes[at] = value;
	return bytes;
}

const DOT = 46;
const ZERO = 48;

/** Canonical text of an address in network order, 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string {
	return formatIp({
		family: bytes.length === 4 ? "IPv4" : "IPv6",
		value: BigInt(`0x${Buffer.from(bytes).toString("hex")}`),
	});
}
