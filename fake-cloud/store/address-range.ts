import { isIP } from "node:net";
import { FairleadError } from "../../operator/errors.ts";

/** A CIDR addresses are given out of, lowest free first. */
export interface AddressRange {
	cidr: string;
	family: 4 | 6;
	first: bigint;
	last: bigint;
	/** Distance between two addresses that are given out: 1, or a whole /64 for a server's IPv6 network. */
	step: bigint;
}

/**
 * Reads `203.0.113.0/24`. The first address of a range and, for IPv4, the last are never given out.
 *
 * @throws FairleadError FlagInvalid
 */
export function addressRange(cidr: string, step = 1n): AddressRange {
	const [address = "", length = "", ...more] = cidr.split("/");
	const family = isIP(address);
	const bits = family === 4 ? 32 : 128;
	const prefix = Number(length);
	if (
		family === 0 ||
		more.length > 0 ||
		!/^\d+$/.test(length) ||
		prefix < 1 ||
		prefix > bits - 2
	)
		throw new FairleadError(
			"FlagInvalid",
			`address range ${JSON.stringify(cidr)} is no CIDR with at least two usable addresses, such as 203.0.113.0/24`,
		);
	const size = 1n << BigInt(bits - prefix);
	const base = (parseAddress(address) / size) * size;
	return {
		cidr,
		family: family as 4 | 6,
		first: base + (step === 1n ? 1n : 0n),
		last: base + size - (family === 4 ? 2n : 1n),
		step,
	};
}

export function contains(range: AddressRange, address: string): boolean {
	if (isIP(address) !== range.family) return false;
	const value = parseAddress(address);
	return value >= range.first && value <= range.last;
}

/** The number an IPv4 or IPv6 address stands for; the address must be valid. */
export function parseAddress(address: string): bigint {
	if (isIP(address) === 4)
		return address
			.split(".")
			.reduce((sum, part) => (sum << 8n) + BigInt(part), 0n);
	let text = address.split("%")[0] as string;
	const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
	if (dotted) {
		const low = parseAddress(dotted[2] as string);
		text = `${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
	}
	const [head = "", tail] = text.split("::");
	const front = head ? head.split(":") : [];
	const back = tail ? tail.split(":") : [];
	const zeros =
		tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
	return [...front, ...Array<string>(zeros).fill("0"), ...back].reduce(
		(sum, group) => (sum << 16n) + BigInt(`0x${group}`),
		0n,
	);
}

/** The canonical text of an address (RFC 5952 for IPv6). */
export function formatAddress(value: bigint, family: 4 | 6): string {
	if (family === 4)
		return [24n, 16n, 8n, 0n]
			.map((shift) => (value >> shift) & 0xffn)
			.join(".");
	const groups = Array.from({ length: 8 }, (_, i) =>
		((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
	);
	let best = { at: 0, length: 1 };
	for (let at = 0; at < 8; at++) {
		let end = at;
		while (end < 8 && groups[end] === "0") end++;
		if (end - at > best.length) best = { at, length: end - at };
	}
	if (best.length < 2) return groups.join(":");
	return `${groups.slice(0, best.at).join(":")}::${groups.slice(best.at + best.length).join(":")}`;
}

/** The same address in canonical text, or undefined if it is none. */
export function canonicalAddress(address: string): string | undefined {
	const family = isIP(address);
	return family === 0
		? undefined
		: formatAddress(parseAddress(address), family as 4 | 6);
}

/** `10.1.2.3/8` as `10.0.0.0/8`, or undefined if it is no CIDR. */
export function canonicalCidr(text: string): string | undefined {
	const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
	const family = isIP(match?.[1] ?? "");
	const length = Number(match?.[2]);
	const bits = family === 4 ? 32 : 128;
	if (family === 0 || length > bits) return undefined;
	const host = BigInt(bits - length);
	const base = (parseAddress(match?.[1] as string) >> host) << host;
	return `${formatAddress(base, family as 4 | 6)}/${length}`;
}
