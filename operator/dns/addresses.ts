import { formatIp, type IpAddress, parseIp } from "../model/addresses/ip.ts";
import { types } from "./message.ts";

/** An address as records hold it. */
export interface RecordAddress {
	type: typeof types.A | typeof types.AAAA;
	bytes: Uint8Array;
	/** Canonical. */
	text: string;
}

/** Undefined for what is no address. */
export function recordAddress(text: string): RecordAddress | undefined {
	const result = parseIp(text);
	return result.ok ? ofIp(result.value) : undefined;
}

/**
 * The address a name asks about: `4.3.2.1.in-addr.arpa`, or 32 nibbles under ip6.arpa (RFC 1035 section 3.5, RFC 3596
 * section 2.5). "part" for the labels above such names, undefined for what can never be one.
 *
 * @param labels Folded, those left of `in-addr.arpa` or `ip6.arpa`.
 */
export function reversedAddress(
	family: "IPv4" | "IPv6",
	labels: string[],
): RecordAddress | "part" | undefined {
	const [count, radix, form] =
		family === "IPv4"
			? ([4, 256n, /^(0|[1-9]\d{0,2})$/] as const)
			: ([32, 16n, /^[0-9a-f]$/] as const);
	if (labels.length > count) return undefined;
	let value = 0n;
	for (const label of labels.toReversed()) {
		if (!form.test(label)) return undefined;
		const digit = BigInt(family === "IPv4" ? label : `0x${label}`);
		if (digit >= radix) return undefined;
		value = value * radix + digit;
	}
	return labels.length < count ? "part" : ofIp({ family, value });
}

function ofIp(address: IpAddress): RecordAddress {
	const length = address.family === "IPv4" ? 4 : 16;
	const digits = address.value.toString(16).padStart(length * 2, "0");
	return {
		type: address.family === "IPv4" ? types.A : types.AAAA,
		bytes: new Uint8Array(Buffer.from(digits, "hex")),
		text: formatIp(address),
	};
}
