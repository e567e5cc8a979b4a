import { conditions } from "../../operator/api/names.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import { cloud, ips, lab, marks, type Row, said } from "./service-desk.ts";

/** Rows about what a Service asks for: its type, ports, families and policies. */

const others = {
	ClusterIP: { type: "ClusterIP" },
	NodePort: { type: "NodePort" },
	ExternalName: { type: "ExternalName", externalName: "example.com" },
};
const types = Object.entries(others);

const typeRows: Row[] = types.flatMap(([type, other]): Row[] => [
	[
		`a Service of class Static gives its address back when it becomes ${type}, and gets one when it becomes LoadBalancer again`,
		async (desk, name) => {
			await desk.create(name);
			await desk.served(name);
			await desk.spec(name, other);
			await desk.until(name, (found) => expect(marks(found)).toEqual([]));
			await desk.spec(name, {
				type: "LoadBalancer",
				loadBalancerClass: lab,
				externalName: null,
			});
			await desk.served(name);
		},
	],
	[
		`a cloud's Service loses its balancer, its finalizer and its conditions when it becomes ${type}, and gets another balancer when it becomes LoadBalancer again`,
		async (desk, name) => {
			await desk.create(name, { loadBalancerClass: cloud });
			await desk.served(name);
			const [before] = await desk.cloud(name, (list) =>
				expect(list).toHaveLength(1),
			);
			await desk.spec(name, other);
			await desk.until(name, (found) => expect(marks(found)).toEqual([]));
			await desk.cloud(name, (list) => expect(list).toEqual([]));
			await desk.spec(name, {
				type: "LoadBalancer",
				loadBalancerClass: cloud,
				externalName: null,
			});
			await desk.served(name);
			await desk.cloud(name, (list) => {
				expect(list).toHaveLength(1);
				expect(list[0]?.id).not.toBe(before?.id);
			});
		},
	],
]);

const portRows: Row[] = [
	[
		"a balancer follows its Service's ports: number, protocol, nodePort, one more, one less",
		async (desk, name) => {
			const port = (number: number, nodePort: number, protocol = "TCP") => ({
				name: `p${nodePort}`,
				port: number,
				nodePort,
				protocol,
			});
			const set = (...ports: object[]) => desk.spec(name, { ports });
			await desk.create(name, { loadBalancerClass: cloud });
			await desk.served(name);
			await set(port(80, 31001));
			const [{ id } = {}] = await desk.listeners(name, ["tcp/80>31001"]);
			await set(port(81, 31001));
			await desk.listeners(name, ["tcp/81>31001"]);
			await set(port(81, 31002));
			await desk.listeners(name, ["tcp/81>31002"]);
			await set(port(81, 31002, "UDP"));
			await desk.listeners(name, ["udp/81>31002"]);
			await set(port(81, 31002, "UDP"), port(443, 31003));
			await desk.listeners(name, ["tcp/443>31003", "udp/81>31002"]);
			await set(port(443, 31003));
			const [after] = await desk.listeners(name, ["tcp/443>31003"]);
			expect(after?.id).toBe(id);
		},
	],
	[
		"a balancer stays as it is when ports are renamed and reordered, and when targetPort or appProtocol change, which are the nodes' business",
		async (desk, name) => {
			const ports = [
				{ name: "a", port: 80, nodePort: 31011, targetPort: 8080 },
				{ name: "b", port: 443, nodePort: 31012, targetPort: 8443 },
			];
			await desk.create(name, { loadBalancerClass: cloud, ports });
			await desk.served(name);
			const expected = ["tcp/443>31012", "tcp/80>31011"];
			const [before] = await desk.listeners(name, expected);
			const changed = await desk.spec(name, {
				ports: [
					{ ...ports[1], name: "y", targetPort: "web" },
					{ ...ports[0], name: "x", appProtocol: "http" },
				],
			});
			// Who comes later is served later: by then the change has been seen through.
			await desk.create(`${name}-later`, { loadBalancerClass: cloud });
			await desk.served(`${name}-later`);
			const [after] = await desk.listeners(name, expected);
			expect(after).toEqual(before);
			await desk.until(name, (found) => {
				expect(ips(found)).toEqual(ips(changed));
				expect(said(found, conditions.provisioned)).toBe("True/Provisioned");
			});
		},
	],
	[
		"TCP and UDP of one port are two listeners of one balancer, and one address of class Static",
		async (desk, name) => {
			const ports = [
				{ name: "dns-tcp", port: 53, protocol: "TCP" as const },
				{ name: "dns-udp", port: 53, protocol: "UDP" as const },
			];
			await desk.create(name, { loadBalancerClass: cloud, ports });
			await desk.served(name);
			await desk.cloud(name, ([only]) =>
				expect(
					only?.services
						.map((each) => `${each.protocol}/${each.listen_port}`)
						.sort(),
				).toEqual(["tcp/53", "udp/53"]),
			);
			await desk.create(`${name}-lab`, { ports });
			await desk.served(`${name}-lab`);
		},
	],
	[
		"a port without nodePort fails by itself on a cloud, by name and with a reason, and the others serve",
		async (desk, name) => {
			await desk.create(name, {
				loadBalancerClass: cloud,
				allocateLoadBalancerNodePorts: false,
				ports: [
					{ name: "with", port: 80, nodePort: 31021 },
					{ name: "without", port: 81 },
				],
			});
			const found = await desk.says(
				name,
				"False/PortsRefused",
				conditions.provisioned,
			);
			await desk.until(name, ({ status }) =>
				expect(status?.loadBalancer?.ingress?.[0]?.ports).toEqual([
					{ port: 80, protocol: "TCP" },
					{ port: 81, protocol: "TCP", error: "NodePortMissing" },
				]),
			);
			const { message = "" } =
				found.status?.conditions?.find(
					({ type }) => type === conditions.provisioned,
				) ?? {};
			expect(message).toContain("81/TCP");
		},
	],
	[
		"no port with a nodePort means no ingress on a cloud, and all of it at class Static",
		async (desk, name) => {
			const bare = { allocateLoadBalancerNodePorts: false };
			await desk.create(name, { ...bare, loadBalancerClass: cloud });
			await desk.says(name, "False/PortsRefused", conditions.provisioned);
			expect(ips(await desk.get(name))).toEqual([]);
			await desk.create(`${name}-lab`, bare);
			await desk.served(`${name}-lab`);
			const { spec } = await desk.get(`${name}-lab`);
			expect(spec.ports?.[0]?.nodePort).toBeUndefined();
		},
	],
];

const policyRows: Row[] = [
	[
		"source ranges reach the balancer trimmed and sorted; the field wins over the annotation, and 0.0.0.0/0 is everybody",
		async (desk, name) => {
			const annotation =
				"service.beta.kubernetes.io/load-balancer-source-ranges";
			const allowed = (expected: string[]) =>
				desk.cloud(name, ([only]) =>
					expect(only?.services[0]?.source_ranges ?? []).toEqual(expected),
				);
			await desk.create(
				name,
				{ loadBalancerClass: cloud },
				{ annotations: { [annotation]: " 198.51.100.0/24 , 192.0.2.0/24" } },
			);
			await allowed(["192.0.2.0/24", "198.51.100.0/24"]);
			await desk.spec(name, { loadBalancerSourceRanges: ["203.0.113.0/24"] });
			await allowed(["203.0.113.0/24"]);
			await desk.spec(name, {
				loadBalancerSourceRanges: ["0.0.0.0/0", "::/0"],
			});
			await allowed([]);
		},
	],
	[
		"source ranges count for their own family: the other stays open if the Service has it",
		async (desk, name) => {
			await desk.create(name, {
				loadBalancerClass: cloud,
				loadBalancerSourceRanges: ["2001:db8::/32"],
				ipFamilyPolicy: "RequireDualStack",
			});
			await desk.cloud(name, ([only]) =>
				expect(only?.services[0]?.source_ranges).toEqual([
					"0.0.0.0/0",
					"2001:db8::/32",
				]),
			);
		},
	],
	[
		"session affinity and its timeout reach the balancer, and leave it",
		async (desk, name) => {
			const seconds = (expected: number | null) =>
				desk.cloud(name, ([only]) =>
					expect(only?.services[0]?.affinity_seconds ?? null).toBe(expected),
				);
			await desk.create(name, {
				loadBalancerClass: cloud,
				sessionAffinity: "ClientIP",
			});
			await seconds(10_800);
			await desk.spec(name, {
				sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
			});
			await seconds(60);
			await desk.spec(name, {
				sessionAffinity: "None",
				sessionAffinityConfig: null,
			});
			await seconds(null);
		},
	],
	[
		"under externalTrafficPolicy Local the balancer asks each node on healthCheckNodePort, and no longer under Cluster",
		async (desk, name) => {
			await desk.create(name, {
				loadBalancerClass: cloud,
				externalTrafficPolicy: "Local",
			});
			const { spec } = await desk.get(name);
			await desk.cloud(name, ([only]) =>
				expect(only?.services[0]?.health_check).toMatchObject({
					protocol: "http",
					port: spec.healthCheckNodePort,
					http: { path: "/healthz" },
				}),
			);
			await desk.spec(name, { externalTrafficPolicy: "Cluster" });
			await desk.cloud(name, ([only]) =>
				expect(only?.services[0]?.health_check).toMatchObject({
					protocol: "tcp",
					port: spec.ports?.[0]?.nodePort,
				}),
			);
		},
	],
	[
		"loadBalancerIP is honoured where pools have it, and refused with a reason where nobody can give it",
		async (desk, name) => {
			await desk.create(name, { loadBalancerIP: "10.9.0.77" });
			expect(await desk.served(name)).toEqual(["10.9.0.77"]);
			await desk.create(`${name}-far`, { loadBalancerIP: "192.0.2.1" });
			await desk.until(`${name}-far`, (found) =>
				expect(said(found, conditions.addressAssigned)).toMatch(/^False\//),
			);
			await desk.create(`${name}-cloud`, {
				loadBalancerClass: cloud,
				loadBalancerIP: "192.0.2.1",
			});
			await desk.says(
				`${name}-cloud`,
				"False/CloudRefused",
				conditions.provisioned,
			);
		},
	],
	[
		"ipMode is VIP where packets arrive with the address, and Proxy where a cloud passes them on",
		async (desk, name) => {
			await desk.create(name);
			await desk.create(`${name}-cloud`, { loadBalancerClass: cloud });
			await desk.served(name);
			await desk.served(`${name}-cloud`);
			const mode = async (of: string) =>
				(await desk.get(of)).status?.loadBalancer?.ingress?.[0]?.ipMode;
			expect(await mode(name)).toBe("VIP");
			expect(await mode(`${name}-cloud`)).toBe("Proxy");
		},
	],
];

const familyRows: Row[] = [
	[
		"a Service of two families gets an address of each, in the order of its ipFamilies",
		async (desk, name) => {
			await desk.create(name, {
				ipFamilyPolicy: "RequireDualStack",
				ipFamilies: ["IPv6", "IPv4"],
			});
			const [first, second] = await desk.served(name, 2);
			expect(first).toContain(":");
			expect(second).toContain(".");
		},
	],
	[
		"a second family adds an address and leaves the first, and takes only its own along when it goes",
		async (desk, name) => {
			await desk.create(name);
			const [first] = await desk.served(name);
			await desk.spec(name, {
				ipFamilyPolicy: "PreferDualStack",
				ipFamilies: ["IPv4", "IPv6"],
			});
			expect((await desk.served(name, 2))[0]).toBe(first);
			await desk.spec(name, {
				ipFamilyPolicy: "SingleStack",
				ipFamilies: ["IPv4"],
				clusterIPs: [(await desk.get(name)).spec.clusterIP],
			});
			expect(await desk.served(name)).toEqual([first]);
			expect(assignmentOf(await desk.get(name))?.addresses).toEqual([first]);
		},
	],
	[
		"a cloud's Service of two families shows the balancer's addresses in its own order",
		async (desk, name) => {
			await desk.create(name, {
				loadBalancerClass: cloud,
				ipFamilyPolicy: "RequireDualStack",
				ipFamilies: ["IPv6", "IPv4"],
			});
			const [first, second] = await desk.served(name, 2);
			expect(first).toContain(":");
			expect(second).toContain(".");
		},
	],
];

const nodeRows: Row[] = [
	[
		"targets are the nodes by upstream's rules: taints of the autoscaler and the exclude label count, readiness and other taints do not",
		async (desk, name) => {
			await desk.create(name, { loadBalancerClass: cloud });
			await desk.served(name);
			const targets = (count: number) =>
				desk.cloud(name, ([only]) => expect(only?.targets).toHaveLength(count));
			const kubectl = (...args: string[]) => desk.world.kubectl(...args);
			const exclude = "node.kubernetes.io/exclude-from-external-load-balancers";
			await targets(3);
			await kubectl("taint", "node", "node-1", "example.com/busy=:NoSchedule");
			await kubectl("label", "node", "node-1", `${exclude}=false`);
			await kubectl(
				"taint",
				"node",
				"node-2",
				"ToBeDeletedByClusterAutoscaler=1:NoSchedule",
			);
			await targets(2);
			await kubectl("label", "--overwrite", "node", "node-1", `${exclude}=no`);
			await targets(1);
			await kubectl(
				"taint",
				"node",
				"node-2",
				"ToBeDeletedByClusterAutoscaler-",
			);
			await kubectl("label", "node", "node-1", `${exclude}-`);
			await kubectl("taint", "node", "node-1", "example.com/busy-");
			await targets(3);
		},
	],
];

export const shapeRows: Row[] = [
	...typeRows,
	...portRows,
	...policyRows,
	...familyRows,
	...nodeRows,
];
