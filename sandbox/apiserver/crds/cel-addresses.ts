import type { Environment } from "@marcbachmann/cel-js";
import { isIPv4, isIPv6 } from "node:net";
import { type Family, formatIp, parseIp } from "../services/ip.ts";

/*
 * ip(), cidr() and url() as Kubernetes adds them to CEL (k8s.io/apiserver/pkg/cel/library: ip.go, cidr.go, urls.go). Texts
 * are read as Go's net/netip reads them, without zones and IPv4-mapped IPv6.
 */

class Ip {
	readonly family: Family;
	readonly value: bigint;

	constructor(family: Family, value: bigint) {
		this.family = family;
		this.value = value;
	}

	get text(): string {
		return formatIp(this.value, this.family);
	}

	get size(): number {
		return this.family === "IPv4" ? 32 : 128;
	}

	/** True if the first `bits` bits are those of `other`. */
	shares(other: Ip, bits: number): boolean {
		const rest = BigInt(this.size - bits);
		return (
			this.family === other.family && this.value >> rest === other.value >> rest
		);
	}

	within(text: string, bits: number): boolean {
		const other = parseAddress(text);
		return other !== undefined && this.shares(other, bits);
	}
}

class Cidr {
	readonly ip: Ip;
	readonly bits: number;

	constructor(ip: Ip, bits: number) {
		this.ip = ip;
		this.bits = bits;
	}

	masked(): Cidr {
		const rest = BigInt(this.ip.size - this.bits);
		return new Cidr(
			new Ip(this.ip.family, (this.ip.value >> rest) << rest),
			this.bits,
		);
	}
}

function parseAddress(text: string): Ip | undefined {
	const family = isIPv4(text) ? "IPv4" : isIPv6(text) ? "IPv6" : undefined;
	if (!family || text.includes("%")) return undefined;
	const value = parseIp(text);
	if (value === undefined) return undefined;
	const mapped = family === "IPv6" && value >> 32n === 0xffffn;
	return mapped ? undefined : new Ip(family, value);
}

function parsePrefix(text: string): Cidr | undefined {
	const slash = text.lastIndexOf("/");
	const ip = slash < 0 ? undefined : parseAddress(text.slice(0, slash));
	const bits = text.slice(slash + 1);
	if (!ip || !/^(0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > ip.size)
		return undefined;
	return new Cidr(ip, Number(bits));
}

const isLoopback = (ip: Ip) =>
	ip.family === "IPv4" ? ip.within("127.0.0.0", 8) : ip.value === 1n;
const isMulticast = (ip: Ip) =>
	ip.within("224.0.0.0", 4) || ip.within("ff00::", 8);
const isLinkLocal = (ip: Ip) =>
	ip.within("169.254.0.0", 16) || ip.within("fe80::", 10);
const isGlobalUnicast = (ip: Ip) =>
	ip.value !== 0n &&
	!(ip.family === "IPv4" && ip.value === 0xffffffffn) &&
	!isLoopback(ip) &&
	!isMulticast(ip) &&
	!isLinkLocal(ip);

function toIp(text: string): Ip {
	const ip = parseAddress(text);
	if (!ip)
		throw new Error(
			`IP Address ${JSON.stringify(text)} parse error during conversion from string`,
		);
	return ip;
}

function toCidr(text: string): Cidr {
	const cidr = parsePrefix(text);
	if (!cidr)
		throw new Error(
			"network address parse error during conversion from string",
		);
	return cidr;
}

/** A URL with a scheme, or an absolute path, as Go's url.ParseRequestURI takes them. */
function parseUrl(text: string): URL | undefined {
	if (/[\s\p{Cc}]/u.test(text)) return undefined;
	if (!/^(\/|[a-z][a-z0-9+.-]*:)/i.test(text)) return undefined;
	try {
		return new URL(text, "none://");
	} catch {
		return undefined;
	}
}

function toUrl(text: string): URL {
	const url = parseUrl(text);
	if (!url) throw new Error("URL parse error during conversion from string");
	return url;
}

function queryOf(url: URL): Map<string, string[]> {
	const found = new Map<string, string[]>();
	for (const [key, value] of url.searchParams)
		found.set(key, [...(found.get(key) ?? []), value]);
	return found;
}

const withoutBrackets = (host: string) => host.replace(/^\[|\]$/g, "");

/** Adds the functions to an environment. */
export function addAddresses(environment: Environment): void {
	environment
		.registerType("net.IP", { ctor: Ip, fields: {} })
		.registerType("net.CIDR", { ctor: Cidr, fields: {} })
		.registerType("kubernetes.URL", { ctor: URL, fields: {} })
		.registerOperator("net.IP == net.IP", (a: Ip, b: Ip) => a.shares(b, a.size))
		.registerOperator(
			"net.CIDR == net.CIDR",
			(a: Cidr, b: Cidr) => a.bits === b.bits && a.ip.shares(b.ip, a.ip.size),
		);
	const functions: Record<string, (...given: never[]) => unknown> = {
		"isIP(string): bool": (text: string) => parseAddress(text) !== undefined,
		"ip(string): net.IP": toIp,
		"string(net.IP): string": (ip: Ip) => ip.text,
		"net.IP.family(): int": (ip: Ip) => (ip.family === "IPv4" ? 4n : 6n),
		"net.IP.isUnspecified(): bool": (ip: Ip) => ip.value === 0n,
		"net.IP.isLoopback(): bool": isLoopback,
		"net.IP.isLinkLocalMulticast(): bool": (ip: Ip) =>
			ip.within("224.0.0.0", 24) || ip.within("ff02::", 16),
		"net.IP.isLinkLocalUnicast(): bool": isLinkLocal,
		"net.IP.isGlobalUnicast(): bool": isGlobalUnicast,
		"isCIDR(string): bool": (text: string) => parsePrefix(text) !== undefined,
		"cidr(string): net.CIDR": toCidr,
		"string(net.CIDR): string": (cidr: Cidr) => `${cidr.ip.text}/${cidr.bits}`,
		"net.CIDR.ip(): net.IP": (cidr: Cidr) => cidr.ip,
		"net.CIDR.masked(): net.CIDR": (cidr: Cidr) => cidr.masked(),
		"net.CIDR.prefixLength(): int": (cidr: Cidr) => BigInt(cidr.bits),
		"net.CIDR.containsIP(net.IP): bool": (cidr: Cidr, ip: Ip) =>
			cidr.ip.shares(ip, cidr.bits),
		"net.CIDR.containsIP(string): bool": (cidr: Cidr, text: string) =>
			cidr.ip.shares(toIp(text), cidr.bits),
		"net.CIDR.containsCIDR(net.CIDR): bool": (cidr: Cidr, other: Cidr) =>
			other.bits >= cidr.bits && cidr.ip.shares(other.ip, cidr.bits),
		"net.CIDR.containsCIDR(string): bool": (cidr: Cidr, text: string) => {
			const other = toCidr(text);
			return other.bits >= cidr.bits && cidr.ip.shares(other.ip, cidr.bits);
		},
		"isURL(string): bool": (text: string) => parseUrl(text) !== undefined,
		"url(string): kubernetes.URL": toUrl,
		"kubernetes.URL.getScheme(): string": ({ protocol }: URL) =>
			protocol === "none:" ? "" : protocol.slice(0, -1),
		"kubernetes.URL.getHost(): string": ({ host }: URL) => host,
		"kubernetes.URL.getHostname(): string": ({ hostname }: URL) =>
			withoutBrackets(hostname),
		"kubernetes.URL.getPort(): string": ({ port }: URL) => port,
		"kubernetes.URL.getEscapedPath(): string": ({ pathname }: URL) => pathname,
		"kubernetes.URL.getQuery(): map<string, list<string>>": queryOf,
	};
	for (const [signature, handler] of Object.entries(functions))
		environment.registerFunction(signature, handler as () => unknown);
}
