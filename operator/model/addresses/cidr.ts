import type { IPFamily, ServiceSpec } from "../../api/core.ts";
import type { Interval } from "./intervals.ts";
import { bitsOf, compareIp, formatIp, type IpAddress, parseIp } from "./ip.ts";
import { type Parsed, parsed, refused } from "./parsed.ts";

/** A prefix with its host bits cleared. */
export interface Cidr extends IpAddress {
	prefixLength: number;
}

/** A run of addresses of one family, as a CIDR or a range names it. */
export interface AddressRange extends Interval {
	family: IPFamily;
}

/** Reads `address/length`. Host bits that are set are cleared, as Kubernetes does for loadBalancerSourceRanges. */
export function parseCidr(text: string): Parsed<Cidr> {
	const problem = (why: string) =>
		refused(`${JSON.stringify(text)} is not a CIDR: ${why}`);
	const slash = text.indexOf("/");
	if (slash < 0)
		return problem(
			"it has no prefix length; one address is written with /32, or /128 for IPv6",
		);
	const address = parseIp(text.slice(0, slash));
	if (!address.ok) return problem(address.reason);
	const { family, value } = address.value;
	const length = text.slice(slash + 1);
	// Go's netip.ParsePrefix refuses signs and leading zeros too.
	if (!/^(0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > bitsOf[family])
		return problem(
			`the prefix length of ${family} is 0 to ${bitsOf[family]}, not ${JSON.stringify(length)}`,
		);
	const prefixLength = Number(length);
	const hostBits = BigInt(bitsOf[family] - prefixLength);
	return parsed({
		family,
		value: (value >> hostBits) << hostBits,
		prefixLength,
	});
}

export function formatCidr(cidr: Cidr): string {
	return `${formatIp(cidr)}/${cidr.prefixLength}`;
}

export function cidrRange(cidr: Cidr): AddressRange {
	const size = 1n << BigInt(bitsOf[cidr.family] - cidr.prefixLength);
	return {
		family: cidr.family,
		start: cidr.value,
		end: cidr.value + size - 1n,
	};
}

export function rangeContains(
	range: AddressRange,
	address: IpAddress,
): boolean {
	return (
		range.family === address.family &&
		range.start <= address.value &&
		address.value <= range.end
	);
}

/** `start-end`, or the address alone if there is only one. */
export function formatRange({ family, start, end }: AddressRange): string {
	const first = formatIp({ family, value: start });
	return start === end ? first : `${first}-${formatIp({ family, value: end })}`;
}

/**
 * Reads an entry of AddressPool `spec.addresses`: a CIDR or `first-last`, with spaces around either part. A CIDR with host
 * bits set is refused here, as Kubernetes does for new fields (apimachinery, validation.IsValidCIDR): nobody can tell
 * whether the writer meant the one address or the whole network.
 */
export function parsePoolEntry(text: string): Parsed<AddressRange> {
	const trimmed = text.trim();
	const dash = trimmed.indexOf("-");
	if (dash >= 0) return parseRange(trimmed, dash);
	if (!trimmed.includes("/")) {
		const single = parseIp(trimmed);
		if (!single.ok) return single;
		const { family } = single.value;
		const address = formatIp(single.value);
		return refused(
			`${JSON.stringify(trimmed)} is neither a CIDR nor a range; one address is written ${address}/${bitsOf[family]}`,
		);
	}
	const cidr = parseCidr(trimmed);
	if (!cidr.ok) return cidr;
	const written = parseIp(trimmed.slice(0, trimmed.indexOf("/")));
	if (written.ok && written.value.value !== cidr.value.value)
		return refused(
			`${JSON.stringify(trimmed)} has host bits set; write ${formatCidr(cidr.value)} for the network, or ${formatIp(written.value)}/${bitsOf[cidr.value.family]} for the one address`,
		);
	return withoutSpecialAddresses(trimmed, cidrRange(cidr.value));
}

function parseRange(text: string, dash: number): Parsed<AddressRange> {
	const problem = (why: string) =>
		refused(`${JSON.stringify(text)} is not an address range: ${why}`);
	const first = parseIp(text.slice(0, dash).trim());
	if (!first.ok) return problem(first.reason);
	const last = parseIp(text.slice(dash + 1).trim());
	if (!last.ok) return problem(last.reason);
	const { family } = first.value;
	if (family !== last.value.family)
		return problem("its ends are of different families");
	if (compareIp(first.value, last.value) > 0)
		return problem("its first address is above its last; swap them");
	return withoutSpecialAddresses(text, {
		family,
		start: first.value.value,
		end: last.value.value,
	});
}

/** What no balancer can have; the CRD refuses the same, as far as CEL sees (isGlobalUnicast). Source: RFC 6890. */
const specialRanges = (
	[
		["IPv4", 0n, 8, "addresses of this network"],
		["IPv4", 0x7f000000n, 8, "loopback addresses"],
		["IPv4", 0xa9fe0000n, 16, "link-local addresses"],
		["IPv4", 0xe0000000n, 4, "multicast addresses"],
		["IPv4", 0xffffffffn, 32, "the broadcast address"],
		["IPv6", 0n, 128, "the unspecified address"],
		["IPv6", 1n, 128, "the loopback address"],
		["IPv6", 0xffffn << 32n, 96, "IPv4-mapped addresses"],
		["IPv6", 0xfe80n << 112n, 10, "link-local addresses"],
		["IPv6", 0xff00n << 112n, 8, "multicast addresses"],
	] as const
).map(([family, value, prefixLength, what]) => ({
	range: cidrRange({ family, value, prefixLength }),
	what,
}));

/** IPv6 addresses that every link has anew (fe80::/10): no packet for them comes from another one. */
export function isLinkLocal({ family, value }: IpAddress): boolean {
	return family === "IPv6" && value >> 118n === 0x3fan;
}

function withoutSpecialAddresses(
	text: string,
	range: AddressRange,
): Parsed<AddressRange> {
	for (const special of specialRanges)
		if (
			special.range.family === range.family &&
			special.range.start <= range.end &&
			range.start <= special.range.end
		)
			return refused(
				`${JSON.stringify(text)} holds ${special.what} (${formatRange(special.range)}), which no balancer can have`,
			);
	return parsed(range);
}

/** Who may come in over one family. Not open and without CIDRs: nobody. */
export interface FamilySources {
	open: boolean;
	/** Canonical, ascending, without duplicates; empty if open. */
	cidrs: string[];
}

export interface SourceRanges {
	IPv4: FamilySources;
	IPv6: FamilySources;
	/** One sentence per value that is no CIDR. */
	problems: string[];
}

/** Source: k8s.io/api/core/v1, AnnotationLoadBalancerSourceRangesKey. */
const sourceRangesAnnotation =
	"service.beta.kubernetes.io/load-balancer-source-ranges";

/**
 * Who may reach a Service, by family, as kube-proxy reads it (pkg/proxy/serviceport.go): values are trimmed, host bits
 * cleared, a /0 opens its family, and a family without any range is open. The annotation counts only when the field is
 * empty (pkg/api/v1/service/util.go). A value that cannot be read opens nothing: its family is unknown, so without a /0
 * both stay closed but for the ranges given.
 */
export function canonicalSourceRanges(
	spec: Pick<ServiceSpec, "loadBalancerSourceRanges">,
	annotations: Record<string, string> = {},
): SourceRanges {
	const field = spec.loadBalancerSourceRanges ?? [];
	const values =
		field.length > 0
			? field
			: (annotations[sourceRangesAnnotation] ?? "").split(",");
	const cidrs: Cidr[] = [];
	const problems: string[] = [];
	for (const value of values) {
		const text = value.trim();
		if (text === "") continue;
		const cidr = parseCidr(text);
		if (cidr.ok) cidrs.push(cidr.value);
		else problems.push(cidr.reason);
	}
	cidrs.sort((a, b) => compareIp(a, b) || a.prefixLength - b.prefixLength);
	const sources = (family: IPFamily): FamilySources => {
		const own = cidrs.filter((cidr) => cidr.family === family);
		const open =
			own.some((cidr) => cidr.prefixLength === 0) ||
			(own.length === 0 && problems.length === 0);
		return { open, cidrs: open ? [] : [...new Set(own.map(formatCidr))] };
	};
	return { IPv4: sources("IPv4"), IPv6: sources("IPv6"), problems };
}
