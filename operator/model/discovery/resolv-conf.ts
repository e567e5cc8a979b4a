import type { PodSpec } from "../../api/core.ts";

/** What a pod's resolver is told; `resolvConf` writes it down. */
export interface PodDns {
	nameservers: string[];
	searches: string[];
	/** `name` or `name:value`. */
	options: string[];
	/** What the kubelet says in an event DNSConfigForming or MissingClusterDNS, each a sentence. */
	warnings: string[];
}

export interface PodDnsInput {
	/** Addresses of the cluster's DNS; none: pods that ask for it get the host's. */
	clusterDns: readonly string[];
	/** The cluster's zone, as cluster.local; empty: none is searched. */
	zone: string;
	/** The pod's. */
	namespace: string;
	/** Default: ClusterFirst, as the API server fills it in. */
	dnsPolicy?: PodSpec["dnsPolicy"];
	dnsConfig?: PodSpec["dnsConfig"];
	/** A pod on the host's network gets the host's DNS under ClusterFirst. */
	hostNetwork?: boolean;
	/** Text of the host's resolv.conf; absent: there is none, and lookups go to the host itself. */
	hostResolvConf?: string;
	/** Loopback address of the host for each family it has, for when there is no resolv.conf; default 127.0.0.1. */
	hostLoopbacks?: readonly string[];
}

/** pkg/apis/core/validation: MaxDNSNameservers, MaxDNSSearchPaths, MaxDNSSearchListChars; DNS1123SubdomainMaxLength. */
const limits = {
	nameservers: 3,
	searches: 32,
	searchCharacters: 2048,
	domainCharacters: 253,
};

/**
 * Text of a pod's resolv.conf: what the kubelet decides, in the form containerd writes it.
 *
 * @example
 * resolvConf({ clusterDns: ["10.96.0.10"], zone: "cluster.local", namespace: "shop" });
 * // search shop.svc.cluster.local svc.cluster.local cluster.local
 * // nameserver 10.96.0.10
 * // options ndots:5
 */
export function resolvConf(input: PodDnsInput): string {
	const { nameservers, searches, options } = podDns(input);
	const lines: string[] = [];
	if (searches.length > 0) lines.push(`search ${searches.join(" ")}\n`);
	for (const address of nameservers) lines.push(`nameserver ${address}\n`);
	if (options.length > 0) lines.push(`options ${options.join(" ")}\n`);
	return lines.join("");
}

/**
 * What the kubelet gives a pod's resolver (pkg/kubelet/network/dns, `GetPodDNS`). Options keep the order they are given
 * in, where the kubelet's order is random.
 */
export function podDns(input: PodDnsInput): PodDns {
	const warnings: string[] = [];
	const settings = withOwn(baseOf(input, warnings), input.dnsConfig);
	return {
		nameservers: fittingNameservers(settings.nameservers, warnings),
		searches: fittingSearches(settings.searches, warnings),
		options: settings.options,
		warnings,
	};
}

type Settings = Pick<PodDns, "nameservers" | "searches" | "options">;

/** Only a pod with a dnsConfig has what repeats taken out. */
function withOwn(base: Settings, own: PodSpec["dnsConfig"]): Settings {
	if (own === undefined) return base;
	const { nameservers = [], searches = [], options = [] } = own;
	return {
		nameservers: unique([...base.nameservers, ...nameservers]),
		searches: unique([...base.searches, ...searches]),
		options: mergeOptions(
			base.options,
			options.map(({ name, value }) => (value ? `${name}:${value}` : name)),
		),
	};
}

function baseOf(input: PodDnsInput, warnings: string[]): Settings {
	const { dnsPolicy = "ClusterFirst", clusterDns, hostNetwork } = input;
	if (dnsPolicy === "None")
		return { nameservers: [], searches: [], options: [] };
	const host = parseResolvConf(input.hostResolvConf ?? "");
	const wantsCluster =
		dnsPolicy === "ClusterFirstWithHostNet" ||
		(dnsPolicy === "ClusterFirst" && !hostNetwork);
	if (wantsCluster && clusterDns.length > 0)
		return {
			nameservers: [...clusterDns],
			searches: clusterSearches(input, host.searches),
			options: ["ndots:5"],
		};
	if (wantsCluster)
		warnings.push(
			`kubelet does not have ClusterDNS IP configured and cannot create Pod using "${dnsPolicy}" policy. Falling back to "Default" policy.`,
		);
	if (input.hostResolvConf !== undefined) return host;
	// A resolver without nameservers asks the local machine: the same said aloud, so that no runtime adds its own.
	return {
		nameservers: [...(input.hostLoopbacks ?? ["127.0.0.1"])],
		searches: ["."],
		options: [],
	};
}

function clusterSearches(
	{ zone, namespace }: PodDnsInput,
	hostSearches: string[],
): string[] {
	if (zone === "") return hostSearches;
	return unique([
		`${namespace}.svc.${zone}`,
		`svc.${zone}`,
		zone,
		...hostSearches,
	]);
}

/**
 * As the kubelet reads it: the last search line counts, nameservers and options add up, all else is passed over
 * (but the kubelet starts no pod while a nameserver line has no address; here that line is passed over too).
 */
function parseResolvConf(text: string): Settings {
	const nameservers: string[] = [];
	let searches: string[] = [];
	let options: string[] = [];
	for (const line of text.split("\n")) {
		const [keyword, ...values] = line.trim().split(/\s+/);
		if (keyword === "nameserver" && values[0] !== undefined)
			nameservers.push(values[0]);
		if (keyword === "search")
			searches = values
				.filter((domain) => domain !== ".")
				.map((domain) => domain.replace(/\.$/, ""));
		if (keyword === "options") options = mergeOptions(options, values);
	}
	return { nameservers, searches, options };
}

/** An option named again takes the later value, in the place of the earlier. */
function mergeOptions(options: string[], more: string[]): string[] {
	const merged = new Map<string, string>();
	for (const option of [...options, ...more])
		merged.set(option.split(":")[0] as string, option);
	return [...merged.values()];
}

function fittingNameservers(addresses: string[], warnings: string[]): string[] {
	if (addresses.length <= limits.nameservers) return addresses;
	const kept = addresses.slice(0, limits.nameservers);
	warnings.push(
		`Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${kept.join(" ")}`,
	);
	return kept;
}

function fittingSearches(domains: string[], warnings: string[]): string[] {
	const kept = domains
		.slice(0, limits.searches)
		.filter((domain) => domain.length <= limits.domainCharacters);
	while (kept.join(" ").length > limits.searchCharacters) kept.pop();
	if (kept.length < domains.length)
		warnings.push(
			`Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${kept.join(" ")}`,
		);
	return kept;
}

function unique(texts: string[]): string[] {
	return [...new Set(texts)];
}
