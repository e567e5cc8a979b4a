import type { IPFamily } from "../../api/core.ts";
import { FairleadError, isFairleadError } from "../../errors.ts";
import { iptablesSave } from "../../kernel/iptables/save.ts";
import { listTable } from "../../kernel/nftables/list-table.ts";
import {
	type KubeProxyRules,
	together,
} from "../../model/rules/audit/kube-proxy-rules.ts";
import { readIptables } from "../../model/rules/audit/read-iptables.ts";
import { readNftables } from "../../model/rules/audit/read-nftables.ts";

/** How kube-proxy's rules are listed: by `nft`, and by a program of the iptables-save family (undefined: there is none). */
export interface RulesListing {
	listTable: typeof listTable;
	iptablesSave: typeof iptablesSave;
}

/**
 * Both families of kube-proxy's rules in this process' own network namespace, in whichever mode it wrote them.
 *
 * @throws KernelUnsupported where there are none, where there are some of several modes, or a program to read them is missing;
 *   KernelDenied, KernelFailed
 */
export async function readKubeProxy(
	listing: RulesListing = { listTable, iptablesSave },
): Promise<KubeProxyRules> {
	const nftables = await byNft(listing);
	const iptables = await byIptables(listing);
	const found = [...nftables.found, ...iptables.found];
	const [only, ...others] = found;
	if (!only)
		throw iptables.failure ?? nothing(nftables.program, iptables.program);
	if (others.length > 0)
		throw new FairleadError(
			"KernelUnsupported",
			`kube-proxy's rules are there more than once, in ${found.map(({ where }) => where).join(" and in ")}: one of them is left over; end kube-proxy, run kube-proxy --cleanup, and start it again`,
		);
	return only.rules;
}

interface Listed {
	/** Whether there is a program that lists. */
	program: boolean;
	/** Where there are rules of kube-proxy's. */
	found: { where: string; rules: KubeProxyRules }[];
	/** Of one of several programs: no matter where another one finds something. */
	failure?: unknown;
}

async function byNft({ listTable }: RulesListing): Promise<Listed> {
	const rules: KubeProxyRules[] = [];
	try {
		for (const family of families) {
			const listed = await listTable({ family, name: "kube-proxy" });
			if (listed !== undefined) rules.push(readNftables(family, listed));
		}
	} catch (error) {
		if (!isFairleadError(error, "KernelUnsupported")) throw error;
		return { program: false, found: [] };
	}
	return { program: true, found: foundIn("nftables", rules) };
}

/** kube-proxy may use another variant of iptables than the node's programs do by default: each sees only its own rules. */
async function byIptables({ iptablesSave }: RulesListing): Promise<Listed> {
	const listed: Listed = { program: false, found: [] };
	for (const variant of ["-nft", "-legacy", ""]) {
		// What has no variants is one of them under its plain name.
		if (variant === "" && (listed.program || listed.failure)) break;
		const rules: KubeProxyRules[] = [];
		for (const family of families) {
			const program = family === "IPv4" ? "iptables" : "ip6tables";
			try {
				const text = await iptablesSave(`${program}${variant}-save`);
				if (text === undefined) continue;
				listed.program = true;
				const read = readIptables(family, text);
				if (read) rules.push(read);
			} catch (error) {
				// As of the variant that this kernel does not know.
				listed.failure ??= error;
			}
		}
		listed.found.push(...foundIn(`iptables${variant}`, rules));
	}
	return listed;
}

const families: readonly IPFamily[] = ["IPv4", "IPv6"];

function foundIn(where: string, rules: KubeProxyRules[]): Listed["found"] {
	return rules.length > 0 ? [{ where, rules: together(rules) }] : [];
}

function nothing(nft: boolean, iptables: boolean): FairleadError {
	const lacking = [
		nft
			? "there is no table kube-proxy in nftables"
			: "there is no program nft",
		iptables
			? "no chain KUBE-SERVICES in iptables"
			: "no program iptables-save to read iptables rules with",
	].join(", and ");
	const packages = [
		...(nft ? [] : ["nftables"]),
		...(iptables ? [] : ["iptables"]),
	];
	const advice =
		packages.length > 0
			? `install ${packages.join(" or ")}, whichever kube-proxy here uses`
			: "kube-proxy does not run here, runs in another mode, or something takes its place that bypasses netfilter, as Cilium's eBPF programs do; use --rules off there";
	return new FairleadError("KernelUnsupported", `${lacking}: ${advice}`);
}
