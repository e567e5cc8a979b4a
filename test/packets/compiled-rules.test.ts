import { jest } from "@jest/globals";
import fc from "fast-check";
import type {
	EndpointSlice,
	IPFamily,
	Service,
} from "../../operator/api/core.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import { RulesCompiler } from "../../operator/model/rules/compiler.ts";
import { emptyProgram } from "../../operator/model/rules/program-change.ts";
import type { Program } from "../../operator/model/rules/program.ts";
import type { RulesNode } from "../../operator/model/rules/rules-node.ts";
import {
	answersTo,
	families,
	heardOf,
	packetFrom,
	places,
	pods,
} from "../support/packet-oracle.ts";
import {
	type Answer,
	createPacketWorld,
	type PacketWorld,
	type PlaceName,
	SERVER_PORT,
} from "../support/packet-world.ts";
import { serviceOf, sliceOf } from "../support/rules-world.ts";

jest.setTimeout(120_000);

let world: PacketWorld;
let backend: NftablesBackend;

beforeAll(async () => {
	world = await createPacketWorld();
	backend = new NftablesBackend(world.namespaceOf("node"));
});

afterAll(async () => {
	backend?.close();
	await world?.close();
});

const here = (): RulesNode => ({
	name: "node",
	zone: "zone-a",
	nodePortAddresses: families.map((family) => world.addressOf("node", family)),
	podCidrs: ["10.244.0.0/16", "2001:db8:244::/48"],
	masqueradeAll: false,
});

const policy = fc.constantFrom("Cluster" as const, "Local" as const);
const external: Record<IPFamily, readonly string[]> = {
	IPv4: ["203.0.113.10", "203.0.113.11"],
	IPv6: ["2001:db8:113::10", "2001:db8:113::11"],
};

/** One of three Services, with a ClusterIP and NodePort of its own; they quarrel over the rest. */
const service: fc.Arbitrary<Service> = fc
	.record({
		n: fc.integer({ min: 1, max: 3 }),
		ingress: fc.subarray([0, 1]),
		externalIPs: fc.subarray([0, 1]),
		ranges: fc.subarray(["192.0.2.10/32", "2001:db8:2::10/128", "10.0.0.0/8"]),
		internalTrafficPolicy: policy,
		externalTrafficPolicy: policy,
	})
	.map(({ n, ingress, externalIPs, ranges, ...policies }) => {
		const all = (which: number[]) =>
			families.flatMap((family) =>
				which.flatMap((each) => external[family][each] ?? []),
			);
		return serviceOf(
			{
				...policies,
				type: "LoadBalancer",
				clusterIPs: [`10.96.0.${n}`, `2001:db8:96::${n}`],
				externalIPs: all(externalIPs),
				loadBalancerSourceRanges: ranges,
				ports: [
					{ name: "tcp", port: 80, nodePort: 30080 + n },
					{ name: "udp", port: 80, protocol: "UDP", nodePort: 30080 + n },
				],
			},
			{ name: `s${n}`, ingress: all(ingress).map((ip) => ({ ip })) },
		);
	});

interface Slice {
	n: number;
	family: IPFamily;
	endpoints: PlaceName[];
	words: string;
}

const slice: fc.Arbitrary<Slice> = fc.record({
	n: fc.integer({ min: 1, max: 3 }),
	family: fc.constantFrom(...families),
	endpoints: fc.subarray([...pods]),
	words: fc.constantFrom("", " terminating", " zone:zone-a", " zone:zone-b"),
});

function written({ n, family, endpoints, words }: Slice): EndpointSlice {
	const nodeOf = (pod: PlaceName) => (pod === "pod-3" ? "other" : "node");
	return sliceOf(
		endpoints.map(
			(pod) => `${world.addressOf(pod, family)}@${nodeOf(pod)}${words}`,
		),
		{
			service: `s${n}`,
			name: `s${n}-${family}`,
			family,
			ports: [
				{ name: "tcp", port: SERVER_PORT },
				{ name: "udp", port: SERVER_PORT, protocol: "UDP" },
			],
		},
	);
}

type Step = { service: Service } | { slice: Slice } | { without: number };

const step: fc.Arbitrary<Step> = fc.oneof(
	{ weight: 3, arbitrary: service.map((each): Step => ({ service: each })) },
	{ weight: 4, arbitrary: slice.map((each): Step => ({ slice: each })) },
	fc.integer({ min: 1, max: 3 }).map((n): Step => ({ without: n })),
);

/** Remembers its clients. */
function withAffinity(service: Service): Service {
	const spec: Service["spec"] = {
		...service.spec,
		sessionAffinity: "ClientIP",
	};
	return { ...service, spec };
}

test("whatever changes Services go through, the kernel does with every packet what the model says", async () => {
	const asked = { forwarded: 0, rejected: 0, dropped: 0 };
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), {
				minLength: 1,
				maxLength: 4,
			}),
			fc.boolean(),
			async (batches, sticky) => {
				const compiler = new RulesCompiler(here());
				backend.replace(emptyProgram);
				for (const batch of batches) {
					for (const each of batch)
						if ("service" in each)
							compiler.setService(
								sticky ? withAffinity(each.service) : each.service,
							);
						else if ("slice" in each) compiler.setSlice(written(each.slice));
						else compiler.removeService(`default/s${each.without}`);
					backend.apply(compiler.take());
					await compare(compiler.program);
				}
			},
		),
		{ numRuns: 15, endOnFailure: true },
	);
	// A property that never met a case says nothing about it.
	for (const count of Object.values(asked)) expect(count).toBeGreaterThan(0);

	async function compare(program: Program): Promise<void> {
		const silent: { heard: () => Answer | undefined; what: string }[] = [];
		const abandon: (() => void)[] = [];
		for (const frontend of program.frontends.values())
			for (const from of places) {
				const { address, protocol, port } = frontend;
				if (protocol === "SCTP") throw new Error("nobody here speaks SCTP");
				const packet = packetFrom(world, program, from, frontend);
				const answers = answersTo(world, program, from, packet);
				const what = `${from} -> ${address} ${protocol} ${port}: ${JSON.stringify(answers)}`;
				const question = world.ask(from, protocol, address, port);
				if (answers.includes("silence")) {
					let heard: Answer | undefined;
					void question.answer.then((answer) => {
						heard = answer;
					});
					silent.push({ heard: () => heard, what });
					abandon.push(() => question.abandon());
					asked.dropped++;
					continue;
				}
				const answer = await heardOf(world, question, "unexpected");
				asked[answers.includes("refused") ? "rejected" : "forwarded"]++;
				expect({ what, answer, answers }).toEqual({
					what,
					answer: answers.find(
						(each) => JSON.stringify(each) === JSON.stringify(answer),
					),
					answers,
				});
			}
		// Whatever would come back to them comes by the same wire as what was asked for later.
		for (const from of places)
			for (const family of families)
				await world.ask(
					from,
					"TCP",
					world.addressOf("pod-1", family),
					SERVER_PORT,
				).answer;
		for (const { heard, what } of silent)
			expect({ what, heard: heard() }).toEqual({ what, heard: undefined });
		for (const each of abandon) each();
	}
});
