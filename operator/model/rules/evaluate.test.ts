import fc from "fast-check";
import {
	node1,
	packetOf,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";
import { compile } from "./compile.ts";
import { evaluate, type Packet, sourceKind } from "./evaluate.ts";

const three = ["10.244.1.2@node-1", "10.244.1.3@node-1", "10.244.2.2@node-2"];
const programOf = (spec = {}, more = {}) =>
	compile({
		services: [serviceOf(spec, more)],
		slices: [sliceOf(three)],
		node: node1,
	}).program;

const forwarded = (packet: Packet, spec = {}) => {
	const verdict = evaluate(programOf(spec), packet);
	if (verdict.verdict !== "forwarded") throw new Error(verdict.why);
	return verdict;
};

describe("the endpoint a packet goes to", () => {
	it.each([
		[0, "10.244.1.2"],
		[0.34, "10.244.1.3"],
		[0.999, "10.244.2.2"],
	])("is the slot that %d picks", (random, address) => {
		const packet = packetOf("pod -> 10.96.0.10 TCP 80", () => random);
		expect(forwarded(packet).to.address).toBe(address);
	});

	it("is each slot with the same probability, and together they are certain", () => {
		const { candidates } = forwarded(packetOf("pod -> 10.96.0.10 TCP 80"));
		expect(
			candidates.map(({ slot, probability }) => [slot, probability]),
		).toEqual([
			[0, 1 / 3],
			[1, 1 / 3],
			[2, 1 / 3],
		]);
	});

	const sticky = {
		sessionAffinity: "ClientIP",
		sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
	};

	it("is the one remembered for the client, for as long as affinity lasts", () => {
		const packet = packetOf("pod -> 10.96.0.10 TCP 80");
		packet.remembered = { address: "10.244.2.2", port: 8080 };
		const verdict = forwarded(packet, sticky);
		expect(verdict).toMatchObject({
			to: { address: "10.244.2.2" },
			candidates: [{ slot: 2, probability: 1 }],
			affinitySeconds: 60,
		});
	});

	it("is another when the one remembered is gone", () => {
		const packet = packetOf("pod -> 10.96.0.10 TCP 80");
		packet.remembered = { address: "10.244.2.9", port: 8080 };
		expect(forwarded(packet, sticky).candidates).toHaveLength(3);
	});

	it("is any without affinity, whatever is remembered", () => {
		const packet = packetOf("pod -> 10.96.0.10 TCP 80");
		packet.remembered = { address: "10.244.2.2", port: 8080 };
		expect(forwarded(packet).candidates).toHaveLength(3);
		expect(forwarded(packet)).not.toHaveProperty("affinitySeconds");
	});

	it("is remembered for three hours if the Service does not say", () => {
		const packet = packetOf("pod -> 10.96.0.10 TCP 80");
		const verdict = forwarded(packet, { sessionAffinity: "ClientIP" });
		expect(verdict.affinitySeconds).toBe(10_800);
	});
});

describe("why a packet goes where it goes", () => {
	const balanced = (spec = {}) =>
		programOf(
			{ type: "LoadBalancer", ...spec },
			{ ingress: [{ ip: "203.0.113.10" }] },
		);
	const toBalancer = packetOf("outside -> 203.0.113.10 TCP 80");
	it.each([
		[
			"forwarded",
			balanced(),
			toBalancer,
			"LoadBalancer 203.0.113.10 TCP 80 of Service default/web (port http): one of 3 endpoints, each as likely",
		],
		[
			"forwarded by the cluster's own way",
			balanced({ externalTrafficPolicy: "Local" }),
			packetOf("pod -> 203.0.113.10 TCP 80"),
			"LoadBalancer 203.0.113.10 TCP 80 of Service default/web (port http): one of 3 endpoints, each as likely, as for every pod of the cluster",
		],
		[
			"dropped",
			balanced({ loadBalancerSourceRanges: ["192.0.2.0/24"] }),
			toBalancer,
			"LoadBalancer 203.0.113.10 TCP 80 of Service default/web (port http) admits only 192.0.2.0/24, not 172.30.0.1",
		],
		[
			"rejected",
			balanced(),
			packetOf("pod -> 10.96.0.10 TCP 22"),
			"10.96.0.10 is an address of a Service, but no Service serves TCP 22 there",
		],
		[
			"not ours",
			balanced(),
			packetOf("pod -> 192.0.2.1 TCP 22"),
			"no Service has 192.0.2.1 TCP 22 on this node",
		],
	])("is said when it is %s", (_, program, packet, why) => {
		expect(evaluate(program, packet).why).toBe(why);
	});

	it("is that nobody serves, and where", () => {
		const { program } = compile({
			services: [serviceOf()],
			slices: [],
			node: node1,
		});
		expect(evaluate(program, packetOf("pod -> 10.96.0.10 TCP 80")).why).toBe(
			"ClusterIP 10.96.0.10 TCP 80 of Service default/web (port http) has no endpoint that serves",
		);
	});
});

test("whatever is asked, a forwarded packet goes to a candidate, and candidates are certain together", () => {
	const program = programOf({
		type: "LoadBalancer",
		externalIPs: ["198.51.100.5"],
		externalTrafficPolicy: "Local",
		sessionAffinity: "ClientIP",
	});
	fc.assert(
		fc.property(
			fc.record({
				sourceIs: fc.constantFrom(
					"pod" as const,
					"node" as const,
					"outside" as const,
				),
				source: fc.ipV4(),
				destination: fc.constantFrom("10.96.0.10", "198.51.100.5", "192.0.2.1"),
				protocol: fc.constantFrom("TCP" as const, "UDP" as const),
				port: fc.constantFrom(80, 81),
				remembered: fc.constantFrom(
					{ address: "10.244.1.3", port: 8080 },
					{ address: "10.9.9.9", port: 1 },
				),
				random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
			}),
			({ random, ...packet }) => {
				const verdict = evaluate(program, { ...packet, pick: () => random });
				if (verdict.verdict !== "forwarded") return;
				const total = verdict.candidates.reduce(
					(sum, each) => sum + each.probability,
					0,
				);
				expect(total).toBeCloseTo(1);
				expect(verdict.candidates.map(({ endpoint }) => endpoint)).toContain(
					verdict.to,
				);
			},
		),
	);
});

test.each([
	["10.244.3.3", "pod"],
	["fd00:10:244:7::1", "pod"],
	["172.30.1.1", "node"],
	["192.0.2.1", "outside"],
])("%s is a %s to node-1", (source, kind) => {
	const program = { podCidrs: node1.podCidrs };
	expect(sourceKind(program, source, node1.nodePortAddresses)).toBe(kind);
});
