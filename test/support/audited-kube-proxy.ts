import { resources } from "../../operator/cluster/kube.ts";
import {
	type BesideKubeProxy,
	besideKubeProxy,
	nodeName,
	podCidrs,
} from "./beside-kube-proxy.ts";
import { eventually } from "./eventually.ts";
import { Fairlead } from "./fairlead.ts";
import type { KubeProxyOptions } from "./kube-proxy.ts";

/** A real kube-proxy with every kind of Service in its rules, and an agent that audits it. */
export interface AuditedKubeProxy extends BesideKubeProxy {
	apply(...objects: object[]): Promise<void>;
	clusterIPOf(name: string): Promise<string>;
	audit(...args: string[]): Fairlead;
	/** Runs `--rules audit --once`; throws where it could not look. */
	auditOnce(): Promise<{ code: number | null; found: unknown }>;
	/** Ends what agents still run. */
	endAgents(): Promise<void>;
	service(name: string, spec: object, labels?: object): object;
	slices(of: string, places: Places): object[];
}

type Places = ("pod-1" | "pod-2" | "pod-3")[];

/** `settled`: throws while kube-proxy's rules have no endpoint of Service `last`. */
export async function auditedKubeProxy(
	mode: KubeProxyOptions["mode"] & string,
	settled: (lab: BesideKubeProxy) => void,
): Promise<AuditedKubeProxy> {
	const beside = await besideKubeProxy({ mode });
	const started: Fairlead[] = [];
	const audit = (...args: string[]): Fairlead => {
		const process = beside.world
			.namespaceOf("node")
			.run(
				() =>
					new Fairlead([
						...["agent", "--rules", "audit", "--node", nodeName],
						...["--kubeconfig", beside.cluster.kubeconfigPath],
						...["--cluster-cidr", podCidrs.join(","), "--metrics-port", "0"],
						...args,
					]),
			);
		started.push(process);
		return process;
	};
	const endAgents = async () => {
		for (const each of started.splice(0)) await each.kill("SIGKILL");
	};
	const lab: AuditedKubeProxy = {
		...beside,
		service,
		slices: (of, places) => slices(beside, of, places),
		async apply(...objects) {
			const { code, stderr } = await beside.cluster.kubectl(
				["apply", "-f", "-"],
				{
					stdin: JSON.stringify({
						apiVersion: "v1",
						kind: "List",
						items: objects,
					}),
				},
			);
			if (code !== 0) throw new Error(stderr);
		},
		async clusterIPOf(name) {
			const { spec } = await beside.client.get<{
				metadata: { name: string };
				spec: { clusterIP: string };
			}>(resources.services, { namespace: "default", name });
			return spec.clusterIP;
		},
		audit,
		async auditOnce() {
			const process = audit("--once", "-o", "json");
			const { code } = await process.ended;
			if (code !== 0 && code !== 3)
				throw new Error(process.log.map((each) => each.msg).join("\n"));
			return { code, found: JSON.parse(process.out.join("\n")) as unknown };
		},
		endAgents,
		async close() {
			await endAgents();
			await beside.close();
		},
	};
	try {
		await lab.apply(...everyKindOfService(lab));
		for (const [name, last] of [
			["local", 10],
			["ranges", 11],
			["nobody-here", 12],
		] as const)
			await showAddresses(beside, name, [
				`203.0.113.${last}`,
				`2001:db8:113::${last}`,
			]);
		await lab.apply(service("last", {}), ...lab.slices("last", ["pod-1"]));
		await eventually(
			() => lab,
			(each) => settled(each),
		);
		return lab;
	} catch (error) {
		await lab.close();
		throw error;
	}
}

function service(name: string, spec: object, labels?: object): object {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, namespace: "default", ...(labels && { labels }) },
		spec: {
			ipFamilyPolicy: "RequireDualStack",
			ports: ["TCP", "UDP"].map((protocol) => ({
				name: protocol.toLowerCase(),
				port: 80,
				protocol,
			})),
			...spec,
		},
	};
}

function slices(
	{ world }: BesideKubeProxy,
	of: string,
	places: Places,
): object[] {
	return (["IPv4", "IPv6"] as const).map((family) => ({
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			name: `${of}-${family.toLowerCase()}`,
			namespace: "default",
			labels: { "kubernetes.io/service-name": of },
		},
		addressType: family,
		endpoints: places.map((place) => ({
			addresses: [world.addressOf(place, family)],
			nodeName: place === "pod-3" ? "node-2" : nodeName,
		})),
		ports: ["TCP", "UDP", "SCTP"].map((protocol) => ({
			name: protocol.toLowerCase(),
			protocol,
			port: 8080,
		})),
	}));
}

function everyKindOfService(lab: Pick<AuditedKubeProxy, "slices">): object[] {
	return [
		service("plain", {}),
		...lab.slices("plain", ["pod-1", "pod-2", "pod-3"]),
		service("one", { type: "NodePort" }),
		...lab.slices("one", ["pod-1"]),
		service("empty", { type: "NodePort" }),
		service("headless", { clusterIP: "None" }),
		...lab.slices("headless", ["pod-1"]),
		service("single-stack", {
			ipFamilyPolicy: "SingleStack",
			ipFamilies: ["IPv6"],
			type: "NodePort",
			ports: [{ name: "sctp", port: 80, protocol: "SCTP" }],
		}),
		...lab.slices("single-stack", ["pod-2", "pod-3"]),
		service("sticky", { type: "NodePort", sessionAffinity: "ClientIP" }),
		...lab.slices("sticky", ["pod-1", "pod-3"]),
		service("local", { type: "LoadBalancer", externalTrafficPolicy: "Local" }),
		...lab.slices("local", ["pod-1", "pod-3"]),
		service("nobody-here", {
			type: "LoadBalancer",
			externalTrafficPolicy: "Local",
			internalTrafficPolicy: "Local",
		}),
		...lab.slices("nobody-here", ["pod-3"]),
		service("ranges", {
			type: "LoadBalancer",
			// They touch, overlap, and hold the node's own address.
			loadBalancerSourceRanges: [
				"198.18.0.0/16",
				"198.19.0.0/16",
				"198.18.7.0/24",
				"192.0.2.0/24",
				"2001:db8:2::/64",
				"2001:db8:2:1::/64",
			],
		}),
		...lab.slices("ranges", ["pod-1", "pod-2"]),
		service("external", { externalIPs: ["198.51.100.7", "2001:db8:100::7"] }),
		...lab.slices("external", ["pod-2"]),
		...["rival-1", "rival-2"].map((name) =>
			service(name, { externalIPs: ["198.51.100.8"] }),
		),
		...lab.slices("rival-1", ["pod-1"]),
		...lab.slices("rival-2", ["pod-2"]),
		service(
			"another-proxy",
			{},
			{ "service.kubernetes.io/service-proxy-name": "another" },
		),
	];
}

async function showAddresses(
	{ client }: BesideKubeProxy,
	name: string,
	addresses: string[],
): Promise<void> {
	await client.patch(
		resources.services,
		{ namespace: "default", name, subresource: "status" },
		{
			type: "merge",
			body: {
				status: {
					loadBalancer: {
						ingress: addresses.map((ip) => ({ ip, ipMode: "VIP" })),
					},
				},
			},
		},
	);
}
