import type { Cluster } from "./cluster.ts";

const crds = new URL("../../crds", import.meta.url).pathname;

/** Installs Fairlead's kinds, its namespace, and a default class that draws on one pool and needs nothing else. */
export async function furnishStaticClass(
	cluster: Cluster,
	addresses: string[],
): Promise<void> {
	const kubectl = async (args: string[], stdin = "") => {
		const { code, stderr } = await cluster.kubectl(args, { stdin });
		if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
	};
	await kubectl(["apply", "-f", crds]);
	await kubectl(["wait", "--for=condition=Established", "crd", "--all"]);
	const items = [
		{
			apiVersion: "v1",
			kind: "Namespace",
			metadata: { name: "fairlead-system" },
		},
		{
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "BalancerClass",
			metadata: { name: "lab" },
			spec: { provider: "Static", default: true },
		},
		{
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "AddressPool",
			metadata: { name: "lab" },
			spec: { addresses },
		},
	];
	await kubectl(
		["apply", "-f", "-"],
		JSON.stringify({ apiVersion: "v1", kind: "List", items }),
	);
}
