import fc from "fast-check";
import type {
	EndpointSlice,
	IPFamily,
	Service,
} from "../../operator/api/core.ts";
import { objectKey } from "../../operator/api/meta.ts";
import type { RulesCompiler } from "../../operator/model/rules/compiler.ts";
import type { RulesNode } from "../../operator/model/rules/rules-node.ts";
import { families, pods } from "./packet-oracle.ts";
import { type PacketWorld, SERVER_PORT } from "./packet-world.ts";
import { serviceOf, sliceOf } from "./rules-world.ts";

/**
 * What may happen to the Services of a packet world, drawn at random: four Services that quarrel over a few addresses,
 * their slices, and the node's own description.
 */
export type HistoryStep =
	| { service: Service }
	| { withoutService: string }
	| { slice: EndpointSlice }
	| { withoutSlice: string }
	| { node: RulesNode };

/** What a history has led to, for those who begin with its end. */
export class HistoryEnd {
	readonly services = new Map<string, Service>();
	readonly slices = new Map<string, EndpointSlice>();
	node: RulesNode;

	constructor(node: RulesNode) {
		this.node = node;
	}

	/** Takes a step, and tells a compiler of it. */
	take(step: HistoryStep, compiler: RulesCompiler): void {
		if ("service" in step) {
			this.services.set(objectKey(step.service), step.service);
			compiler.setService(step.service);
		} else if ("withoutService" in step) {
			this.services.delete(step.withoutService);
			compiler.removeService(step.withoutService);
		} else if ("slice" in step) {
			this.slices.set(objectKey(step.slice), step.slice);
			compiler.setSlice(step.slice);
		} else if ("withoutSlice" in step) {
			this.slices.delete(step.withoutSlice);
			compiler.removeSlice(step.withoutSlice);
		} else {
			this.node = step.node;
			compiler.setNode(step.node);
		}
	}
}

const numbers = fc.integer({ min: 1, max: 4 });
const family = fc.constantFrom(...families);
const policy = fc.constantFrom("Cluster" as const, "Local" as const);
const external: Record<IPFamily, readonly string[]> = {
	IPv4: ["203.0.113.10", "203.0.113.11"],
	IPv6: ["2001:db8:113::10", "2001:db8:113::11"],
};
const ranges = [
	"192.0.2.10/32",
	"192.0.0.0/16",
	"10.0.0.0/8",
	"2001:db8:2::10/128",
	"2001:db8:244::/48",
	"::/0",
];
const portsOf = (n: number) => [
	{ name: "tcp", port: 80, nodePort: 30080 + n },
	{ name: "udp", port: 80, protocol: "UDP" as const, nodePort: 30080 + n },
	{ name: "sctp", port: 80, protocol: "SCTP" as const, nodePort: 30080 + n },
];

const services: fc.Arbitrary<Service> = fc
	.record({
		n: numbers,
		type: fc.constantFrom("ClusterIP", "LoadBalancer", "LoadBalancer"),
		stack: fc.subarray([...families], { minLength: 1 }),
		ports: fc.subarray([0, 1, 2], { minLength: 1 }),
		ingress: fc.subarray([0, 1]),
		assigned: fc.subarray([0, 1], { maxLength: 1 }),
		externalIPs: fc.subarray([0, 1]),
		ranges: fc.oneof(fc.constant<string[]>([]), fc.subarray(ranges)),
		internalTrafficPolicy: policy,
		externalTrafficPolicy: policy,
		remembers: fc.constantFrom(undefined, 60, 10800),
		publishNotReadyAddresses: fc.boolean(),
		created: fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
	})
	.map(({ n, type, stack, ports, ranges: admitted, remembers, ...drawn }) => {
		const { ingress, assigned, externalIPs, created, ...rest } = drawn;
		const all = (which: number[]) =>
			stack.flatMap((each) =>
				which.flatMap((index) => external[each][index] ?? []),
			);
		const recorded = all(assigned);
		return serviceOf(
			{
				...rest,
				type: type as "ClusterIP" | "LoadBalancer",
				clusterIPs: stack.map((each) =>
					each === "IPv4" ? `10.96.0.${n}` : `2001:db8:96::${n}`,
				),
				externalIPs: all(externalIPs),
				loadBalancerSourceRanges: admitted,
				ports: portsOf(n).filter((_, index) => ports.includes(index)),
				...(remembers === undefined
					? {}
					: {
							sessionAffinity: "ClientIP",
							sessionAffinityConfig: {
								clientIP: { timeoutSeconds: remembers },
							},
						}),
			},
			{
				name: `s${n}`,
				created,
				ingress: all(ingress).map((ip) => ({ ip })),
				...(recorded.length > 0
					? {
							annotations: {
								"fairlead.dev/assigned": JSON.stringify({
									class: "lan",
									number: "1",
									addresses: recorded,
									pools: recorded.map(() => "pool"),
								}),
							},
							vouched: recorded,
						}
					: {}),
			},
		);
	});

const sliceKeys = fc.record({
	n: numbers,
	family,
	part: fc.constantFrom("a", "b"),
});
type SliceKey = { n: number; family: IPFamily; part: string };

function slices(world: PacketWorld): fc.Arbitrary<EndpointSlice> {
	const state = fc.constantFrom(
		"",
		"",
		"",
		" not-ready",
		" terminating",
		" gone",
		" zone:zone-a",
		" zone:zone-b",
		" node:node",
	);
	return fc
		.record({
			key: sliceKeys,
			endpoints: fc.subarray([...pods]),
			states: fc.tuple(state, state, state),
		})
		.map(({ key, endpoints, states }) =>
			sliceOf(
				endpoints.map((pod, index) => {
					const node = pod === "pod-3" ? "other" : "node";
					return `${world.addressOf(pod, key.family)}@${node}${states[index] ?? ""}`;
				}),
				{
					service: `s${key.n}`,
					name: sliceName(key),
					family: key.family,
					ports: portsOf(key.n).map(({ name, protocol }) => ({
						name,
						port: SERVER_PORT,
						...(protocol ? { protocol } : {}),
					})),
				},
			),
		);
}

function sliceName(key: SliceKey): string {
	return `s${key.n}-${key.family.toLowerCase()}-${key.part}`;
}

/** As a Node says it, and then says otherwise. */
function nodes(world: PacketWorld): fc.Arbitrary<RulesNode> {
	const own = families.map((each) => world.addressOf("node", each));
	return fc.record({
		name: fc.constant("node"),
		zone: fc.constantFrom("zone-a", "zone-b"),
		nodePortAddresses: fc.subarray(own),
		podCidrs: fc.constantFrom(
			["10.244.0.0/16", "2001:db8:244::/48"],
			["10.244.0.0/16", "10.244.1.0/24", "2001:db8:244::/48"],
		),
		masqueradeAll: fc.boolean(),
	});
}

/** Histories, each a list of batches that are synced one by one; and the node they begin with. */
export function histories(
	world: PacketWorld,
): fc.Arbitrary<{ node: RulesNode; batches: HistoryStep[][] }> {
	const step: fc.Arbitrary<HistoryStep> = fc.oneof(
		{ weight: 6, arbitrary: services.map((service) => ({ service })) },
		{ weight: 9, arbitrary: slices(world).map((slice) => ({ slice })) },
		{
			weight: 2,
			arbitrary: numbers.map((n) => ({ withoutService: `default/s${n}` })),
		},
		{
			weight: 2,
			arbitrary: sliceKeys.map((key) => ({
				withoutSlice: `default/${sliceName(key)}`,
			})),
		},
		{ weight: 1, arbitrary: nodes(world).map((node) => ({ node })) },
	);
	return fc.record({
		node: nodes(world),
		batches: fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), {
			minLength: 2,
			maxLength: 6,
		}),
	});
}
