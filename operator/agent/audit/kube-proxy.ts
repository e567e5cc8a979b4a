import { listTable } from "../../kernel/nftables/list-table.ts";
import type { KubeProxyRules } from "../../model/rules/audit/kube-proxy-rules.ts";
import { readNftables } from "../../model/rules/audit/read-nftables.ts";

/** Both families of kube-proxy's nftables rules in this process' own network namespace; undefined if it has none. */
export async function readKubeProxy(): Promise<KubeProxyRules | undefined> {
	const all: KubeProxyRules = {
		families: new Set(),
		frontends: new Map(),
		broken: [],
	};
	for (const family of ["IPv4", "IPv6"] as const) {
		const listing = await listTable({ family, name: "kube-proxy" });
		if (listing === undefined) continue;
		all.families.add(family);
		const { frontends, broken } = readNftables(family, listing);
		for (const [key, frontend] of frontends) all.frontends.set(key, frontend);
		all.broken.push(...broken);
	}
	return all.families.size > 0 ? all : undefined;
}
