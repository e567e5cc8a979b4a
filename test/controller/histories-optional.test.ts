import fc from "fast-check";
import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	AddressReservation,
	NodePortPool,
} from "../../operator/api/fairlead.ts";
import { annotations } from "../../operator/api/names.ts";
import { externalIPRecordOf } from "../../operator/model/external-ips/record.ts";
import {
	type Ending,
	ending,
	History,
	type Thread,
} from "../support/histories.ts";
import {
	balancerClass,
	create,
	doubles,
	edit,
	lab,
	node,
	pool,
	port,
	remove,
	wipe,
} from "../support/history-threads.ts";

/** Fixed, so that a run that fails can be run again; a failure prints the number of its history. */
const seed = 20_261_124;

const reservation =
	(name: string, spec: AddressReservation["spec"], createdAt = "2026-01-01") =>
	(run: History) => {
		run.cluster.create<AddressReservation>("addressreservations", {
			metadata: {
				namespace: "shop",
				name,
				creationTimestamp: `${createdAt}T00:00:00Z`,
			},
			spec,
		});
	};
const portPool = (name: string, range: string) => (run: History) => {
	run.cluster.create<NodePortPool>("nodeportpools", {
		metadata: { name, creationTimestamp: "2026-01-01T00:00:00Z" },
		spec: { range },
	});
};
const classed = (number: number) => ({
	loadBalancerClass: lab,
	ports: [port(number)],
});
const wish = (key: string, annotation: string, value?: string) =>
	edit(key, ({ metadata }) => {
		metadata.annotations = { ...metadata.annotations };
		if (value === undefined) delete metadata.annotations[annotation];
		else metadata.annotations[annotation] = value;
	});
const basics: Thread[] = [
	[balancerClass("lab", { provider: "Static" })],
	[pool("blue", { addresses: ["10.9.0.0/28"] })],
	[pool("pins", { addresses: ["10.8.0.0/29"], autoAssign: false })],
];

/** Plays the threads in many orders, with crashes; each must end as the plain one does. */
async function alike(
	installed: readonly string[],
	threads: readonly Thread[],
	check: (run: History) => void = () => {},
	state: (ending: Ending) => unknown = (all) => all,
): Promise<Ending> {
	const plain = new History(0, installed);
	await plain.play(threads, { shuffled: false });
	const expected = ending(plain);
	check(plain);
	await fc.assert(
		fc.asyncProperty(fc.integer(), async (number) => {
			const run = new History(number, installed);
			await run.play(threads, { shuffled: true });
			expect(state(ending(run))).toEqual(state(expected));
			expect(doubles(run)).toEqual([]);
			expect(run.complaints()).toEqual([]);
			check(run);
		}),
		{ numRuns: 25, seed, endOnFailure: true },
	);
	return expected;
}

describe("whatever order things happen in, and wherever the controller is killed, the same objects end in the same state", () => {
	it("with reservations", async () => {
		const end = await alike(
			["addressreservations"],
			[
				...basics,
				[reservation("nobody", { pool: "blue", addresses: ["10.9.0.14"] })],
				[
					reservation(
						"second",
						{ pool: "blue", addresses: ["10.9.0.14"] },
						"2026-01-02",
					),
				],
				[
					reservation("vip", {
						pool: "pins",
						addresses: ["10.8.0.5"],
						serviceName: "vip",
					}),
				],
				[create("vip", classed(80), { [annotations.addresses]: "10.8.0.5" })],
				[reservation("chosen", { pool: "pins", serviceName: "chosen" })],
				[
					create("chosen", classed(81), { [annotations.pool]: "pins" }),
					edit("shop/chosen", wipe),
				],
				[
					reservation("brief", { pool: "blue", addresses: ["10.9.0.13"] }),
					remove("addressreservations", "shop/brief"),
				],
				[create("a", classed(82)), edit("shop/a", wipe)],
				[create("b", classed(83)), remove("services", "shop/b")],
			],
		);
		expect(end.reservations).toMatchObject([
			{ name: "chosen", bound: "chosen", count: 1 },
			{ name: "nobody", addresses: ["10.9.0.14"] },
			{ name: "second", conditions: [{ reason: "AddressReserved" }] },
			{ name: "vip", bound: "vip" },
		]);
	}, 240_000);

	it("with addresses that are kept for who returns, but for what a controller that did not run could not see", async () => {
		const threads: Thread[] = [
			[balancerClass("lab", { provider: "Static" })],
			[pool("kept", { addresses: ["10.9.0.0/29"], retention: "24h" })],
			[
				pool("once", {
					addresses: ["10.8.0.0/29"],
					retention: "24h",
					autoAssign: false,
				}),
				(run) =>
					run.cluster.edit<AddressPool>("addresspools", "once", ({ spec }) => {
						delete spec.retention;
					}),
			],
			[create("stays", classed(80)), edit("shop/stays", wipe)],
			[create("gone", classed(81)), remove("services", "shop/gone")],
			[
				create("reborn", classed(82)),
				remove("services", "shop/reborn"),
				create("reborn", classed(82)),
			],
			[create("formerly", classed(83), { [annotations.pool]: "once" })],
			[
				create("left", classed(84), { [annotations.pool]: "once" }),
				remove("services", "shop/left"),
			],
		];
		await alike(
			[],
			threads,
			(run) => {
				const [kept, once] = run.cluster.all<AddressPool>("addresspools");
				expect(once?.status?.held ?? []).toEqual([]);
				// Of who has returned nothing is kept, and what is kept nobody has.
				const held = kept?.status?.held ?? [];
				expect(held.map(({ service }) => service)).toEqual(
					held.length > 0 ? ["shop/gone"] : [],
				);
				const shown = run.cluster
					.all<Service>("services")
					.flatMap(({ status }) => status?.loadBalancer?.ingress ?? [])
					.map(({ ip }) => ip);
				for (const { address } of held) expect(shown).not.toContain(address);
			},
			({ services, classes }) => ({ services, classes }),
		);
	}, 240_000);

	it("with external IPs", async () => {
		const auto = { [annotations.externalIPs]: "auto" };
		const plainly = { type: "ClusterIP" as const, ports: [{ port: 80 }] };
		const end = await alike(
			["externalippolicies", "servicecidrs"],
			[
				...basics,
				[
					pool("out", { addresses: ["10.7.0.0/29"], uses: ["ExternalIP"] }),
					(run) =>
						run.cluster.edit<AddressPool>("addresspools", "out", ({ spec }) => {
							spec.addresses = ["10.7.0.0/28"];
						}),
				],
				[node("n1")],
				[create("given", plainly, auto), edit("shop/given", wipe)],
				[create("both", classed(81), auto)],
				[
					create("off", plainly, auto),
					wish("shop/off", annotations.externalIPs),
				],
				[create("brief", plainly, auto), remove("services", "shop/brief")],
				[create("own", { ...plainly, externalIPs: ["10.7.0.7"] })],
				[create("stranger", { ...plainly, externalIPs: ["10.66.0.1"] })],
			],
			(run) => {
				const held = run.cluster
					.all<Service>("services")
					.flatMap((service) => externalIPRecordOf(service)?.addresses ?? []);
				expect(held).toHaveLength(2);
				expect(new Set([...held, "10.7.0.7"]).size).toBe(3);
			},
		);
		expect(end.services["shop/given"]?.spec.externalIPs).toEqual([
			"<out of out>",
		]);
		expect(end.services["shop/off"]).toMatchObject({ conditions: [] });
		expect(end.policies).toHaveLength(1);
	}, 240_000);

	it("with NodePorts of pools", async () => {
		const from = (name: string) => ({ [annotations.nodePorts]: name });
		const plainly = (number: number) => ({
			type: "NodePort" as const,
			ports: [{ port: number, protocol: "TCP" as const }],
		});
		const end = await alike(
			["nodeportpools"],
			[
				[portPool("edge", "30010-30015")],
				[portPool("far", "31000-31002")],
				[create("a", plainly(80), from("edge"))],
				[create("b", plainly(81), from("edge")), edit("shop/b", wipe)],
				[create("c", plainly(82), from("far"))],
				[
					create("moved", plainly(83), from("edge")),
					wish("shop/moved", annotations.nodePorts, "far"),
				],
				[
					create("reborn", plainly(84), from("edge")),
					remove("services", "shop/reborn"),
					create("reborn", plainly(84), from("edge")),
				],
				[
					create("brief", plainly(85), from("far")),
					remove("services", "shop/brief"),
				],
				[create("asks", plainly(86), from("86/TCP=30500"))],
			],
			(run) => {
				const ports = run.cluster
					.all<Service>("services")
					.flatMap(({ spec }) => spec.ports ?? [])
					.map(({ nodePort }) => nodePort);
				expect(ports).not.toContain(undefined);
				expect(new Set(ports).size).toBe(ports.length);
			},
		);
		expect(end.services["shop/asks"]?.spec.ports).toMatchObject([
			{ nodePort: 30_500 },
		]);
	}, 240_000);
});
