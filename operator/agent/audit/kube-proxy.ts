import { listTable } from "../../kernel/nftables/list-table.ts";
import {
	type KubeProxyRules,
	readKubeProxyTable,
} from "../../model/rules/audit/kube-proxy-rules.ts";

/** Both families of kube-proxy's nftables rules in this process' own network namespace; undefined if it has none. */
export async function readKubeProxy(): Promise<KubeProxyRules | undefined> {
	const all: KubeProxyRules = { frontends: new Map(), broken: [] };
	let any = false;
	for (const family of ["IPv4", "IPv6"] as const) {
		const listing = await listTable({ family, name: "kube-proxy" });
		if (listing === undefined) continue;
		any = true;
		const { frontends, broken } = readKubeProxyTable(family, listing);
		for (const [key, frontend] of frontends) all.frontends.set(key, frontend);
		all.broken.push(...broken);
	}
	return any ? all : undefined;
}
