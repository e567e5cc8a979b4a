import fc from "fast-check";
import type { EndpointSlice, Service } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import {
	node1,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";
import { UserspaceBackend } from "../../agent/rules/userspace-backend.ts";
import { compile } from "./compile.ts";
import { RulesCompiler } from "./compiler.ts";
import type { Backend, Program } from "./program.ts";
import { diff, emptyProgram, isEmpty } from "./program-change.ts";
import type { RulesNode } from "./rules-node.ts";

/** The program with its slots in one order: incremental and from scratch agree up to that. */
function withoutSlots({ frontends, held, ...settings }: Program) {
	const sorted = (backends: readonly Backend[]) =>
		backends
			.map(({ address, port, local }) => `${address}:${port} ${local}`)
			.sort();
	return {
		...settings,
		held: Object.fromEntries(held),
		frontends: Object.fromEntries(
			[...frontends].map(([key, { endpoints, internalEndpoints, ...rest }]) => [
				key,
				{
					...rest,
					endpoints: sorted(endpoints),
					...(internalEndpoints
						? { internalEndpoints: sorted(internalEndpoints) }
						: {}),
				},
			]),
		),
	};
}

const names = ["a", "b", "c"];
const name = fc.constantFrom(...names);
const addresses = [
	"10.96.0.1",
	"10.96.0.2",
	"10.96.0.3",
	"203.0.113.1",
	"203.0.113.2",
];
const policy = fc.constantFrom("Cluster" as const, "Local" as const);

const service: fc.Arbitrary<Service> = fc
	.record({
		name,
		created: fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
		type: fc.constantFrom(
			"ClusterIP" as const,
			"NodePort" as const,
			"LoadBalancer" as const,
			"ExternalName" as const,
		),
		clusterIP: fc.constantFrom("10.96.0.1", "10.96.0.2", "10.96.0.3", "None"),
		externalIPs: fc.uniqueArray(fc.constantFrom(...addresses, "nonsense"), {
			maxLength: 2,
		}),
		ingress: fc.uniqueArray(fc.constantFrom(...addresses), { maxLength: 2 }),
		assigned: fc.option(fc.constantFrom(...addresses), { nil: undefined }),
		nodePort: fc.constantFrom(0, 30080, 30081),
		port: fc.constantFrom(80, 81),
		ranges: fc.subarray(["192.0.2.0/24", "0.0.0.0/0", "junk"]),
		internalTrafficPolicy: policy,
		externalTrafficPolicy: policy,
		sticky: fc.boolean(),
		proxy: fc.constantFrom(undefined, undefined, "x", "fairlead.dev"),
	})
	.map((each) =>
		serviceOf(
			{
				type: each.type,
				clusterIPs: [each.clusterIP],
				externalIPs: each.externalIPs,
				ports: [
					{ name: "http", port: each.port, nodePort: each.nodePort },
					{ name: "dns", port: 53, protocol: "UDP" },
				],
				loadBalancerSourceRanges: each.ranges,
				internalTrafficPolicy: each.internalTrafficPolicy,
				externalTrafficPolicy: each.externalTrafficPolicy,
				healthCheckNodePort: 32000,
				sessionAffinity: each.sticky ? "ClientIP" : "None",
			},
			{
				name: each.name,
				created: each.created,
				ingress: each.ingress.map((ip) => ({ ip })),
				labels: each.proxy
					? { "service.kubernetes.io/service-proxy-name": each.proxy }
					: {},
				...(each.assigned ? { vouched: [each.assigned] } : {}),
				annotations: each.assigned
					? {
							"fairlead.dev/assigned": JSON.stringify({
								addresses: [each.assigned],
								class: "lan",
								pools: ["lan"],
								number: "1",
							}),
						}
					: {},
			},
		),
	);

const endpoint = fc
	.tuple(
		fc.integer({ min: 1, max: 6 }),
		fc.constantFrom("node-1", "node-2"),
		fc.constantFrom(
			"",
			" not-ready",
			" terminating",
			" zone:zone-a",
			" zone:zone-b",
			" node:node-1",
		),
	)
	.map(([pod, node, words]) => `10.244.0.${pod}@${node}${words}`);

const slice: fc.Arbitrary<EndpointSlice> = fc
	.record({
		slice: fc.constantFrom("s1", "s2", "s3"),
		service: name,
		endpoints: fc.array(endpoint, { maxLength: 5 }),
	})
	.map((each) =>
		sliceOf(each.endpoints, {
			name: each.slice,
			service: each.service,
			ports: [
				{ name: "http", port: 8080 },
				{ name: "dns", port: 5353, protocol: "UDP" },
			],
		}),
	);

const node: fc.Arbitrary<RulesNode> = fc.record({
	name: fc.constantFrom("node-1", "node-2"),
	zone: fc.constantFrom("zone-a", "zone-b"),
	nodePortAddresses: fc.subarray(["172.30.1.1", "172.30.1.2"]),
	podCidrs: fc.subarray(["10.244.0.0/16"]),
	masqueradeAll: fc.boolean(),
	mode: fc.constantFrom("full", "balancers"),
});

type Step =
	| { do: "setService"; service: Service }
	| { do: "removeService"; key: string }
	| { do: "setSlice"; slice: EndpointSlice }
	| { do: "removeSlice"; key: string }
	| { do: "setNode"; node: RulesNode }
	| { do: "take" };

const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 4,
		arbitrary: service.map(
			(each): Step => ({ do: "setService", service: each }),
		),
	},
	{
		weight: 4,
		arbitrary: slice.map((each): Step => ({ do: "setSlice", slice: each })),
	},
	name.map((each): Step => ({ do: "removeService", key: `default/${each}` })),
	fc
		.constantFrom("s1", "s2", "s3")
		.map((each): Step => ({ do: "removeSlice", key: `default/${each}` })),
	node.map((each): Step => ({ do: "setNode", node: each })),
	{ weight: 3, arbitrary: fc.constant<Step>({ do: "take" }) },
);

test("a program kept by steps is the program compiled from nothing, and its changes lead from one to the next", () => {
	fc.assert(
		fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
			const services = new Map<string, Service>();
			const slices = new Map<string, EndpointSlice>();
			let here: RulesNode = node1;
			const compiler = new RulesCompiler(here);
			const follower = new UserspaceBackend();
			for (const each of [...steps, { do: "take" } as const]) {
				switch (each.do) {
					case "setService":
						services.set(objectKey(each.service), each.service);
						compiler.setService(each.service);
						break;
					case "removeService":
						services.delete(each.key);
						compiler.removeService(each.key);
						break;
					case "setSlice":
						slices.set(objectKey(each.slice), each.slice);
						compiler.setSlice(each.slice);
						break;
					case "removeSlice":
						slices.delete(each.key);
						compiler.removeSlice(each.key);
						break;
					case "setNode":
						here = each.node;
						compiler.setNode(here);
						break;
					case "take": {
						const fresh = compile({
							services: services.values(),
							slices: slices.values(),
							node: here,
						});
						follower.apply(compiler.take());
						expect(withoutSlots(compiler.program)).toEqual(
							withoutSlots(fresh.program),
						);
						expect(follower.program).toEqual(compiler.program);
						expect(compiler.healthChecks).toEqual(fresh.healthChecks);
						for (const key of services.keys())
							expect(compiler.problems(key).sort()).toEqual(
								[...(fresh.problems.get(key) ?? [])].sort(),
							);
					}
				}
			}
		}),
		{ numRuns: 500 },
	);
});

test("the difference of two programs leads from one to the other, and is empty between equals", () => {
	const program = fc
		.tuple(
			fc.array(service, { maxLength: 3 }),
			fc.array(slice, { maxLength: 3 }),
			node,
		)
		.map(
			([services, slices, here]) =>
				compile({ services, slices, node: here }).program,
		);
	fc.assert(
		fc.property(program, program, (a, b) => {
			const backend = new UserspaceBackend();
			backend.replace(a);
			backend.apply(diff(a, b));
			expect(backend.program).toEqual(b);
			expect(isEmpty(diff(b, structuredClone(b)))).toBe(true);
		}),
	);
});

describe("the work of a change", () => {
	const compilerOf = (count: number) => {
		const compiler = new RulesCompiler(node1);
		for (let each = 0; each < count; each++) {
			compiler.setService(
				serviceOf({ clusterIPs: [`10.96.1.${each}`] }, { name: `s${each}` }),
			);
			compiler.setSlice(
				sliceOf([`10.244.1.${each}@node-1`], {
					service: `s${each}`,
					name: `s${each}-1`,
				}),
			);
		}
		compiler.take();
		return compiler;
	};

	it("is one Service's when one endpoint changes", () => {
		const compiler = compilerOf(50);
		compiler.setSlice(
			sliceOf(["10.244.1.7@node-1", "10.244.2.7@node-2"], {
				service: "s7",
				name: "s7-1",
			}),
		);
		expect(compiler.pending).toBe(1);
		const { frontends } = compiler.take();
		expect(frontends.map(({ after }) => after?.service)).toEqual([
			"default/s7",
		]);
		expect(frontends[0]?.after?.endpoints.map((each) => each.address)).toEqual([
			"10.244.1.7",
			"10.244.2.7",
		]);
	});

	it("is nothing when nothing that matters changes", () => {
		const compiler = compilerOf(3);
		compiler.setService(
			serviceOf(
				{ clusterIPs: ["10.96.1.1"] },
				{ name: "s1", annotations: { note: "new" } },
			),
		);
		expect(isEmpty(compiler.take())).toBe(true);
	});

	it("touches no Service when only the pods' CIDRs change", () => {
		const compiler = compilerOf(3);
		compiler.setNode({ ...node1, podCidrs: ["10.0.0.0/8"] });
		expect(compiler.pending).toBe(0);
		expect(compiler.take()).toEqual({
			frontends: [],
			held: [],
			settings: { podCidrs: ["10.0.0.0/8"], masqueradeAll: false },
		});
	});
});

test("a Service that cannot be compiled keeps what it had, and the others go on", () => {
	const compiler = new RulesCompiler(node1);
	compiler.setService(serviceOf());
	compiler.setSlice(sliceOf(["10.244.1.2@node-1"]));
	compiler.take();
	const broken = serviceOf();
	broken.spec = { ...broken.spec, ports: 7 as never };
	compiler.setService(broken);
	compiler.setService(
		serviceOf({ clusterIPs: ["10.96.0.20"] }, { name: "other" }),
	);
	const { frontends } = compiler.take();
	expect(frontends.map(({ after }) => after?.service)).toEqual([
		"default/other",
	]);
	expect(compiler.program.frontends.has("10.96.0.10|TCP|80")).toBe(true);
	expect(compiler.problems("default/web")).toEqual([
		expect.stringMatching(/^it cannot be compiled: .*; what it had stays$/),
	]);
	expect(diff(emptyProgram, compiler.program).frontends).toHaveLength(2);
});
