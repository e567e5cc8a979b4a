import type { IPFamily } from "../../api/core.ts";
import { type Parsed, parsed, refused } from "./parsed.ts";

/** One address. `value` is the address as an unsigned integer: 32 bits for IPv4, 128 for IPv6. */
export interface IpAddress {
	family: IPFamily;
	value: bigint;
}

export const bitsOf: Record<IPFamily, number> = { IPv4: 32, IPv6: 128 };

/** ::ffff:0:0/96, RFC 4291 section 2.5.5.2. */
const mappedPrefix = 0xffffn;

/**
 * Reads one IPv4 or IPv6 address the way Kubernetes does for new fields (apimachinery, validation.IsValidIP): IPv4
 * octets with leading zeros, IPv4-mapped IPv6 addresses and zones are refused, since programs disagree on what they
 * mean. Any spelling of an IPv6 address is read; `formatIp` gives the canonical one.
 */
export function parseIp(text: string): Parsed<IpAddress> {
	const problem = (why: string) =>
		refused(`${JSON.stringify(text)} is not an IP address: ${why}`);
	if (text === "") return problem("it is empty");
	if (!text.includes(":")) {
		const value = parseIpv4(text);
		return typeof value === "string"
			? problem(value)
			: parsed({ family: "IPv4", value: BigInt(value) });
	}
	if (text.includes("%"))
		return problem("it names a zone, which means something on one node only");
	const value = parseIpv6(text);
	if (typeof value === "string") return problem(value);
	if (value >> 32n === mappedPrefix)
		return problem(
			`it is an IPv4-mapped IPv6 address; write ${formatIpv4(Number(value & 0xffffffffn))}`,
		);
	return parsed({ family: "IPv6", value });
}

/** Canonical text: dotted quad, or RFC 5952. */
export function formatIp(address: IpAddress): string {
	return address.family === "IPv4"
		? formatIpv4(Number(address.value))
		: formatIpv6(address.value);
}

/** IPv4 before IPv6, then by value: less than, equal to or greater than zero. */
export function compareIp(a: IpAddress, b: IpAddress): number {
	if (a.family !== b.family) return a.family === "IPv4" ? -1 : 1;
	return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

/** The value, or why not. */
function parseIpv4(text: string): number | string {
	const octets = text.split(".");
	if (octets.length !== 4)
		return `IPv4 has four numbers with dots between, this has ${octets.length}`;
	let value = 0;
	for (const octet of octets) {
		if (!/^[0-9]+$/.test(octet))
			return `${JSON.stringify(octet)} is not a number`;
		if (octet.length > 1 && octet.startsWith("0"))
			return `${octet} has a leading zero, which some programs read as octal`;
		const number = Number(octet);
		if (number > 255) return `${octet} is greater than 255`;
		value = value * 256 + number;
	}
	return value;
}

/** The value, or why not. RFC 4291 section 2.2; `::` stands for at least one group, as in Go's netip. */
function parseIpv6(text: string): bigint | string {
	const halves = text.split("::");
	if (halves.length > 2) return "it has :: more than once";
	const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
	const last = groups.at(-1) ?? [];
	const tail = last.at(-1);
	if (tail?.includes(".")) {
		const value = parseIpv4(tail);
		if (typeof value === "string") return value;
		last.splice(
			-1,
			1,
			(value >>> 16).toString(16),
			(value & 0xffff).toString(16),
		);
	}
	const [before = [], after = []] = groups;
	const written = before.length + after.length;
	if (halves.length === 1 && written !== 8)
		return `IPv6 has eight groups, this has ${written} and no ::`;
	if (halves.length === 2 && written > 7)
		return "it has eight groups or more, which leaves nothing for :: to stand for";
	const zeros = Array.from<string>({ length: 8 - written }).fill("0");
	let digits = "";
	for (const group of [...before, ...zeros, ...after]) {
		if (!/^[0-9a-fA-F]{1,4}$/.test(group))
			return `${JSON.stringify(group)} is not a group of one to four hexadecimal digits`;
		digits += group.padStart(4, "0");
	}
	return BigInt(`0x${digits}`);
}

function formatIpv4(value: number): string {
	return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function formatIpv6(value: bigint): string {
	const digits = value.toString(16).padStart(32, "0");
	const groups = Array.from({ length: 8 }, (_, index) =>
		Number.parseInt(digits.slice(index * 4, index * 4 + 4), 16),
	);
	// RFC 5952 section 4.2: the longest run of two or more zero groups becomes ::, the first one if several are longest.
	let [start, length] = [0, 0];
	for (let from = 0; from < 8; from++) {
		let end = from;
		while (end < 8 && groups[end] === 0) end++;
		if (end - from > length) [start, length] = [from, end - from];
		if (end > from) from = end;
	}
	const text = (part: number[]) =>
		part.map((group) => group.toString(16)).join(":");
	if (length < 2) return text(groups);
	return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}
