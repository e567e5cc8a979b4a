import { isIPv4, isIPv6 } from "node:net";

/** Addresses as numbers, for allocation and for telling what kind of address one is. */

export type Family = "IPv4" | "IPv6";

export function familyOf(ip: string): Family | undefined {
	return isIPv4(ip) ? "IPv4" : isIPv6(ip) ? "IPv6" : undefined;
}

export function parseIp(ip: string): bigint | undefined {
	if (isIPv4(ip))
		return ip.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
	if (!isIPv6(ip)) return undefined;
	// The tail of ::ffff:192.0.2.1 is two words.
	const text = ip.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
		[Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)]
			.map((word) => word.toString(16))
			.join(":"),
	);
	const [head = "", tail] = text.split("::");
	const left = head ? head.split(":") : [];
	const right = tail ? tail.split(":") : [];
	const middle =
		tail === undefined
			? []
			: Array<string>(8 - left.length - right.length).fill("0");
	return [...left, ...middle, ...right].reduce(
		(sum, word) => sum * 65536n + BigInt(`0x${word}`),
		0n,
	);
}

export function formatIp(value: bigint, family: Family): string {
	if (family === "IPv4")
		return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
	const words = Array.from({ length: 8 }, (_, index) =>
		((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
	);
	// RFC 5952: the longest run of at least two zero words is shortened, the first of equals.
	let best = { at: -1, length: 1 };
	for (let at = 0; at < 8; at++) {
		let length = 0;
		while (words[at + length] === "0") length++;
		if (length > best.length) best = { at, length };
		at += length;
	}
	if (best.at < 0) return words.join(":");
	return `${words.slice(0, best.at).join(":")}::${words.slice(best.at + best.length).join(":")}`;
}

export interface Cidr {
	text: string;
	family: Family;
	base: bigint;
	size: bigint;
}

/** Undefined if it is no CIDR. */
export function parseCidr(text: string): Cidr | undefined {
	const [ip = "", length = "", more] = text.split("/");
	const family = familyOf(ip);
	const base = parseIp(ip);
	const bits = family === "IPv4" ? 32 : 128;
	if (
		!family ||
		base === undefined ||
		more !== undefined ||
		!/^\d+$/.test(length) ||
		Number(length) > bits
	)
		return undefined;
	const size = 1n << BigInt(bits - Number(length));
	return { text, family, base: base - (base % size), size };
}

/** What is wrong with an address that traffic shall be sent to (validation.go, ValidateEndpointIP). */
export function endpointIpErrors(ip: string): string[] {
	const value = parseIp(ip);
	const family = familyOf(ip);
	if (value === undefined || !family) return ["must be a valid IP address"];
	const inside = (cidr: string) => {
		const range = parseCidr(cidr);
		return (
			range !== undefined &&
			range.family === family &&
			value >= range.base &&
			value < range.base + range.size
		);
	};
	const errors: string[] = [];
	if (value === 0n) errors.push(`may not be unspecified (${ip})`);
	if (inside("127.0.0.0/8") || inside("::1/128"))
		errors.push("may not be in the loopback range (127.0.0.0/8, ::1/128)");
	if (inside("169.254.0.0/16") || inside("fe80::/10"))
		errors.push(
			"may not be in the link-local range (169.254.0.0/16, fe80::/10)",
		);
	if (inside("224.0.0.0/24") || inside("ff02::/16"))
		errors.push(
			"may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
		);
	return errors;
}
