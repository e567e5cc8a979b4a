import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	BalancerClass,
} from "../../operator/api/fairlead.ts";
import { annotations, conditions } from "../../operator/api/names.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { MemoryCluster } from "../support/memory-cluster.ts";
import { Replica } from "../support/replica.ts";

it.each([
	["NodePorts", annotations.nodePorts, "80/TCP=30500", conditions.nodePorts],
	["external IPs", annotations.externalIPs, "auto", conditions.externalIPs],
])(
	"the condition of %s that is taken off with the wish for them, again and again, is nobody's quarrel with Fairlead",
	async (_what, annotation, wish, condition) => {
		const cluster = new MemoryCluster();
		const clock = new FakeClock();
		cluster.create("namespaces", { metadata: { name: "shop" } });
		cluster.create<BalancerClass>("balancerclasses", {
			metadata: { name: "lab" },
			spec: { provider: "Static" },
		});
		cluster.create<AddressPool>("addresspools", {
			metadata: { name: "lan" },
			spec: {
				addresses: ["10.9.0.0/29"],
				uses: ["LoadBalancer", "ExternalIP"],
			},
		});
		cluster.create<Service>("services", {
			metadata: { namespace: "shop", name: "web", annotations: {} },
			spec: {
				type: "LoadBalancer",
				loadBalancerClass: "fairlead.dev/lab",
				ipFamilies: ["IPv4"],
				ports: [{ port: 80 }],
			},
		});
		const replica = new Replica(cluster, clock);
		const says = () =>
			cluster
				.get<Service>("services", "shop/web")
				?.status?.conditions?.find(({ type }) => type === condition)?.status;
		for (let time = 0; time < 6; time++) {
			for (const value of [wish, undefined]) {
				cluster.edit<Service>("services", "shop/web", ({ metadata }) => {
					metadata.annotations = { ...metadata.annotations };
					if (value === undefined) delete metadata.annotations[annotation];
					else metadata.annotations[annotation] = value;
				});
				await clock.advance(2_000);
				expect(says()).toBe(value === undefined ? undefined : "True");
			}
		}
		expect(replica.log.lines.filter(({ level }) => level !== "info")).toEqual(
			[],
		);
		await replica.stop();
	},
);
