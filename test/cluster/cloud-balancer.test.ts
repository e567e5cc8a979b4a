import { jest } from "@jest/globals";
import type { Service } from "../../operator/api/core.ts";
import { conditions } from "../../operator/api/names.ts";
import { eventually } from "../support/eventually.ts";
import type { Fairlead } from "../support/fairlead.ts";
import { World } from "../support/world.ts";

jest.setTimeout(60_000);

let world: World;
let controller: Fairlead;

beforeAll(async () => {
	world = await World.start();
	await world.furnish();
	controller = world.controller();
	await controller.logged(({ msg }) => msg.startsWith("leads"));
});
afterAll(async () => {
	await world?.stop();
});

const nodePort = (service: Service, at = 0): number =>
	service.spec.ports?.[at]?.nodePort ?? 0;
const condition = (service: Service, type: string): string | undefined => {
	const found = service.status?.conditions?.find((each) => each.type === type);
	return found && `${found.status}/${found.reason}`;
};
/** Opens a port on every node. */
const open = (port: number) =>
	Promise.all(world.nodes.map((node) => node.open(port)));

describe("a LoadBalancer Service on a real API server", () => {
	let address: string;

	it("gets a balancer on the cloud, its address in status, and answers from behind the nodes", async () => {
		const service = await world.service("web");
		await open(nodePort(service));
		address = await world.address("web");
		const [balancer] = await world.balancers();
		expect(balancer).toMatchObject({
			labels: {
				"fairlead.dev/service-namespace": "default",
				"fairlead.dev/service-name": "web",
				"fairlead.dev/service-uid": service.metadata.uid,
			},
			public_net: { ipv4: { ip: address } },
			services: [{ listen_port: 80, destination_port: nodePort(service) }],
		});
		await eventually(
			() => world.answering(address),
			(names) => expect(names).toEqual(["node-1", "node-2", "node-3"]),
		);
		expect(await world.kubectl("get", "svc", "web")).toContain(address);
	});

	it("says in conditions what is so, and in events what was done", async () => {
		const service = await eventually(
			() => world.get("web"),
			(found) =>
				expect(condition(found, conditions.provisioned)).toBe(
					"True/Provisioned",
				),
		);
		expect(condition(service, conditions.addressAssigned)).toBe(
			"True/Assigned",
		);
		expect(condition(service, conditions.programmed)).toBe("Unknown/NoAgents");
		expect(condition(service, conditions.serving)).toBe("True/EndpointsReady");
		await eventually(
			() => world.kubectl("get", "events", "--no-headers"),
			(text) => {
				expect(text).toContain("EnsuringLoadBalancer");
				expect(text).toContain("EnsuredLoadBalancer");
			},
		);
	});

	it("serves a port that is added and no longer one that is removed", async () => {
		const service = await world.service("web", {
			ports: [{ name: "alt", port: 8080 }],
		});
		await open(nodePort(service));
		await eventually(
			() => world.visit(address, 8080),
			(body) => expect(body).toMatch(/^node-/),
		);
		await expect(world.visit(address, 80)).rejects.toThrow();
		expect(await world.address("web")).toBe(address);
		const [balancer] = await world.balancers();
		expect(balancer?.services).toHaveLength(1);
	});

	it("sends nothing to a node that is excluded or gone, and to one that joins again", async () => {
		await world.kubectl(
			"label",
			"node",
			"node-1",
			"node.kubernetes.io/exclude-from-external-load-balancers=",
		);
		await eventually(
			() => world.answering(address, 8080),
			(names) => expect(names).toEqual(["node-2", "node-3"]),
		);
		await world.kubectl("delete", "node", "node-2");
		await eventually(
			() => world.answering(address, 8080),
			(names) => expect(names).toEqual(["node-3"]),
		);
		await world.kubectl(
			"label",
			"node",
			"node-1",
			"node.kubernetes.io/exclude-from-external-load-balancers-",
		);
		await eventually(
			() => world.answering(address, 8080),
			(names) => expect(names).toEqual(["node-1", "node-3"]),
		);
	});

	it("under externalTrafficPolicy Local follows the nodes' own word on healthCheckNodePort", async () => {
		await world.kubectl(
			"patch",
			"svc",
			"web",
			"-p",
			'{"spec":{"externalTrafficPolicy":"Local"}}',
		);
		const service = await world.get("web");
		const health = service.spec.healthCheckNodePort ?? 0;
		const [first, , third] = world.nodes;
		await first?.open(health, 503);
		await third?.open(health, 200);
		await eventually(
			() => world.answering(address, 8080),
			(names) => expect(names).toEqual(["node-3"]),
		);
	});

	it("has its status written again when somebody wipes it", async () => {
		await world.kubectl(
			"patch",
			"svc",
			"web",
			"--subresource=status",
			"--type=merge",
			"-p",
			'{"status":{"loadBalancer":null,"conditions":null}}',
		);
		expect(await world.address("web")).toBe(address);
		await eventually(
			() => world.get("web"),
			(found) => expect(found.status?.conditions).toHaveLength(4),
		);
	});

	it("leaves nothing behind when it becomes another type", async () => {
		await world.kubectl(
			"patch",
			"svc",
			"web",
			"-p",
			'{"spec":{"type":"ClusterIP","externalTrafficPolicy":null}}',
		);
		const service = await eventually(
			() => world.get("web"),
			(found) => expect(found.metadata.finalizers ?? []).toEqual([]),
		);
		expect(await world.balancers()).toEqual([]);
		expect(Object.keys(service.metadata.annotations ?? {})).toEqual([
			"kubectl.kubernetes.io/last-applied-configuration",
		]);
		expect(service.status?.conditions ?? []).toEqual([]);
	});

	it("leaves nothing behind when it is deleted", async () => {
		await world.service("second");
		await world.address("second");
		expect(await world.balancers()).toHaveLength(1);
		await world.kubectl("delete", "svc", "second", "--timeout=20s");
		expect(await world.balancers()).toEqual([]);
		await expect(world.get("second")).rejects.toThrow("not found");
	});

	it("loses its balancer even when somebody takes the finalizer off a deletion that is under way, and a namesake gets one of its own", async () => {
		const before = await world.service("third");
		await world.address("third");
		await world.faults([
			{ match: { method: "DELETE" }, effect: { kind: "error", status: 500 } },
		]);
		await world.kubectl("delete", "svc", "third", "--wait=false");
		await eventually(
			() => world.get("third"),
			(found) =>
				expect(condition(found, conditions.provisioned)).toBe(
					"False/CloudServerError",
				),
		);
		await world.kubectl(
			"patch",
			"svc",
			"third",
			"--type=merge",
			"-p",
			'{"metadata":{"finalizers":null}}',
		);
		const after = await world.service("third");
		expect(after.metadata.uid).not.toBe(before.metadata.uid);
		await world.address("third");
		expect(await world.balancers()).toHaveLength(2);
		await world.faults([]);
		await eventually(
			() => world.balancers(),
			(list) =>
				expect(
					list.map(({ labels }) => labels["fairlead.dev/service-uid"]),
				).toEqual([after.metadata.uid]),
		);
		await world.kubectl("delete", "svc", "third", "--timeout=20s");
	});

	it("loses its balancer when it is replaced as a whole by a Service that knows nothing of it", async () => {
		const { spec } = await world.service("swapped");
		await world.address("swapped");
		const { code, stderr } = await world.cluster.kubectl(
			["replace", "-f", "-"],
			{
				stdin: JSON.stringify({
					apiVersion: "v1",
					kind: "Service",
					metadata: { namespace: "default", name: "swapped" },
					spec: {
						type: "ClusterIP",
						clusterIP: spec.clusterIP,
						ports: [{ name: "http", port: 80 }],
					},
				}),
			},
		);
		expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		await eventually(
			() => world.balancers(),
			(list) => expect(list).toEqual([]),
		);
		await world.kubectl("delete", "svc", "swapped", "--timeout=20s");
	});

	it("is served by a class as soon as what was wrong with the class is corrected", async () => {
		const balancerClass = (location: string) => ({
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "BalancerClass",
			metadata: { name: "mended" },
			spec: {
				provider: "HetznerCloud",
				hetznerCloud: {
					endpoint: `${world.cloudUrl}/v1`,
					tokenSecretRef: { namespace: "kube-system", name: "cloud-token" },
					location,
				},
			},
		});
		await world.apply("-", balancerClass("atlantis"));
		await world.service("patient", {
			loadBalancerClass: "fairlead.dev/mended",
		});
		await eventually(
			() => world.get("patient"),
			(found) =>
				expect(condition(found, conditions.provisioned)).toBe(
					"False/CloudRefused",
				),
		);
		await world.apply("-", balancerClass("fsn1"));
		await world.address("patient");
		await world.kubectl("delete", "svc", "patient", "--timeout=20s");
	});

	it("keeps a class from vanishing while it holds something through it", async () => {
		await world.service("fourth");
		await world.address("fourth");
		await world.kubectl("delete", "balancerclass", "cloud", "--wait=false");
		await world.service("late");
		await eventually(
			() => world.get("late"),
			(found) =>
				expect(condition(found, conditions.addressAssigned)).toBe(
					"False/ClassDeleting",
				),
		);
		await world.kubectl("delete", "svc", "fourth", "late", "--timeout=20s");
		await world.kubectl(
			"wait",
			"--for=delete",
			"balancerclass/cloud",
			"--timeout=20s",
		);
		expect(await world.balancers()).toEqual([]);
		await world.furnish();
	});

	it("is let go by a controller that drains and ends with code 0 when asked to stop", async () => {
		expect(await controller.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	});
});
