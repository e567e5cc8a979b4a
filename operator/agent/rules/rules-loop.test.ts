import { jest } from "@jest/globals";
import { AgentWorld } from "../../../test/support/agent-world.ts";
import { serviceOf, sliceOf } from "../../../test/support/rules-world.ts";
import type { Node } from "../../api/core.ts";
import { defaultNodeSettings } from "../../model/rules/rules-node.ts";
import type { AgentIncident } from "./incidents.ts";
import { RulesLoop } from "./rules-loop.ts";

const node1: Node = {
	metadata: { name: "node-1" },
	spec: { podCIDRs: ["10.244.1.0/24"] },
	status: { addresses: [{ type: "InternalIP", address: "172.30.1.1" }] },
};
const nth = (each: number) =>
	serviceOf({ clusterIPs: [`10.96.0.${each}`] }, { name: `s${each}` });
const nthSlice = (each: number, ...endpoints: string[]) =>
	sliceOf(endpoints, { service: `s${each}`, name: `s${each}-1` });

let world: AgentWorld;
let loop: RulesLoop;
let incidents: AgentIncident[];
let syncs: number;

beforeEach(() => {
	world = new AgentWorld();
	incidents = [];
	syncs = 0;
	loop = new RulesLoop({
		node: "node-1",
		stores: world.stores,
		backend: world.backend,
		settings: defaultNodeSettings,
		clock: world.clock,
		random: () => 1,
		log: world.log,
		metrics: world.metrics,
		tell: (incident) => incidents.push(incident),
		onSynced: () => syncs++,
	});
	loop.start();
});

afterEach(() => loop.stop());

/** Three Services with one endpoint each, in force. */
async function threeServed(): Promise<void> {
	world.put(node1);
	for (const each of [1, 2, 3]) {
		world.put(nth(each));
		world.put(nthSlice(each, `10.244.1.${each}@node-1`));
	}
	await world.listed();
	world.backend.calls.length = 0;
	syncs = 0;
}

const endpointsOf = (address: string) =>
	world.backend.program.frontends
		.get(`${address}|TCP|80`)
		?.endpoints.map((each) => each.address);

describe("the first sync", () => {
	it("waits until every list is complete: an empty world is never written because one is late", async () => {
		world.put(nth(1));
		await world.clock.advance(60_000);
		expect(world.backend.calls).toEqual([]);
		expect(loop.trouble).toBe("rules: nothing is read yet");
		expect(loop.watermark).toBeUndefined();
	});

	it("writes everything at once, and then all is well", async () => {
		world.put(nth(1));
		world.put(nthSlice(1, "10.244.1.1@node-1"));
		await world.listed();
		await loop.synced;
		expect(world.backend.calls).toEqual(["replace"]);
		expect(endpointsOf("10.96.0.1")).toEqual(["10.244.1.1"]);
		expect(loop.trouble).toBeUndefined();
	});

	it("replaces what a predecessor left even where nothing is to be served", async () => {
		await world.listed();
		expect(world.backend.calls).toEqual(["replace"]);
	});
});

describe("a change", () => {
	it("is written at once, and touches nothing else", async () => {
		await threeServed();
		await world.clock.advance(1_000);
		world.put(nthSlice(2, "10.244.1.2@node-1", "10.244.2.2@node-2"));
		await world.clock.advance(0);
		expect(world.backend.calls).toEqual(["apply 1"]);
		expect(endpointsOf("10.96.0.2")).toEqual(["10.244.1.2", "10.244.2.2"]);
	});

	it("is written with all that came with it in one transaction", async () => {
		await threeServed();
		await world.clock.advance(1_000);
		for (const each of [1, 2, 3])
			world.put(nthSlice(each, `10.244.9.${each}@node-1`));
		await world.clock.advance(0);
		expect(world.backend.calls).toEqual(["apply 3"]);
	});

	it("waits for its turn in a burst: one transaction per 10 ms", async () => {
		await threeServed();
		await world.clock.advance(1_000);
		for (let ms = 0; ms < 100; ms++) {
			world.put(nthSlice(1, `10.244.1.${ms + 1}@node-1`));
			await world.clock.advance(1);
		}
		await world.clock.advance(10);
		expect(world.backend.calls.length).toBeGreaterThanOrEqual(10);
		expect(world.backend.calls.length).toBeLessThanOrEqual(12);
		expect(endpointsOf("10.96.0.1")).toEqual(["10.244.1.100"]);
	});

	it("that changes nothing on this node is not written", async () => {
		await threeServed();
		world.put({
			...nth(1),
			spec: { ...nth(1).spec, selector: { app: "new" } },
		});
		await world.clock.advance(1_000);
		expect(world.backend.calls).toEqual([]);
		expect(syncs).toBe(1);
	});

	it("of another node is none", async () => {
		await threeServed();
		world.put({ metadata: { name: "node-2" } });
		await world.clock.advance(1_000);
		expect(syncs).toBe(0);
	});

	it("of this node's address moves its NodePorts", async () => {
		await threeServed();
		world.put(
			serviceOf(
				{
					type: "NodePort",
					ports: [{ name: "http", port: 80, nodePort: 30080 }],
				},
				{ name: "s1" },
			),
		);
		await world.clock.advance(1_000);
		world.put({
			...node1,
			status: { addresses: [{ type: "InternalIP", address: "172.30.9.9" }] },
		});
		await world.clock.advance(1_000);
		const nodePorts = [...world.backend.program.frontends.values()].filter(
			({ kind }) => kind === "NodePort",
		);
		expect(nodePorts.map(({ address }) => address)).toEqual(["172.30.9.9"]);
	});

	it("is a Service that goes: its rules go", async () => {
		await threeServed();
		world.remove(nth(2));
		await world.clock.advance(1_000);
		expect(endpointsOf("10.96.0.2")).toBeUndefined();
		expect(world.backend.program.held.has("10.96.0.2")).toBe(false);
	});
});

describe("when the kernel refuses", () => {
	it("a change that does not fit, everything is written anew at once", async () => {
		await threeServed();
		let first = true;
		world.backend.refuses = () => {
			const refusal = first ? "ENOENT" : undefined;
			first = false;
			return refusal;
		};
		world.put(nthSlice(1, "10.244.9.1@node-1"));
		await world.clock.advance(20);
		expect(world.backend.calls).toEqual(["replace"]);
		expect(endpointsOf("10.96.0.1")).toEqual(["10.244.9.1"]);
		expect(incidents).toEqual([]);
	});

	it("everything, it is tried with growing pauses and said once, until it works", async () => {
		await threeServed();
		world.backend.refuses = () => "EPERM";
		world.put(nthSlice(1, "10.244.9.1@node-1"));
		world.put(nthSlice(2, "10.244.9.2@node-1"));
		await world.clock.advance(1_000);
		expect(loop.trouble).toBe("rules: EPERM");
		expect(loop.lateMs).toBeGreaterThan(0);
		expect(incidents).toEqual([{ reason: "RulesFailed", note: "EPERM" }]);
		world.backend.refuses = () => undefined;
		await world.clock.advance(30_000);
		expect(loop.trouble).toBeUndefined();
		expect(loop.lateMs).toBe(0);
		expect(endpointsOf("10.96.0.1")).toEqual(["10.244.9.1"]);
	});

	it("one Service, the others are served, and it is named", async () => {
		await threeServed();
		world.backend.refuses = (program) =>
			program.frontends.get("10.96.0.2|TCP|80")?.endpoints[0]?.port === 9
				? "EINVAL"
				: undefined;
		world.put(nthSlice(1, "10.244.9.1@node-1"));
		world.put({
			...nthSlice(2, "10.244.9.2@node-1"),
			ports: [{ name: "http", port: 9 }],
		});
		world.put(nthSlice(3, "10.244.9.3@node-1"));
		await world.clock.advance(1_000);
		expect(endpointsOf("10.96.0.1")).toEqual(["10.244.9.1"]);
		expect(endpointsOf("10.96.0.2")).toEqual(["10.244.1.2"]);
		expect(endpointsOf("10.96.0.3")).toEqual(["10.244.9.3"]);
		expect(loop.problems("default/s2")).toEqual([
			"the kernel refuses it: EINVAL",
		]);
		expect(incidents).toEqual([
			{ reason: "ServiceRefused", note: "EINVAL", service: "default/s2" },
		]);
		world.put(nthSlice(2, "10.244.9.2@node-1"));
		await world.clock.advance(1_000);
		expect(endpointsOf("10.96.0.2")).toEqual(["10.244.9.2"]);
		expect(loop.problems("default/s2")).toEqual([]);
	});
});

test("what goes wrong behind a write that is in force is logged, and taken for no refusal", async () => {
	await threeServed();
	world.backend.onTrouble?.(new Error("cannot list conntrack's flows"));
	expect(loop.trouble).toBeUndefined();
	expect(incidents).toEqual([]);
	expect(world.log.lines).toContainEqual(
		expect.objectContaining({
			level: "warn",
			fields: { err: new Error("cannot list conntrack's flows") },
		}),
	);
});

describe("when somebody else changes the rules", () => {
	it("they are written anew within a second, and it is said who it was", async () => {
		await threeServed();
		world.backend.drifted = "nft (pid 4711) flushed the ruleset";
		await world.clock.advance(1_000);
		expect(world.backend.calls).toEqual(["replace"]);
		expect(incidents).toEqual([
			{
				reason: "RulesRepaired",
				note: "somebody else changed Fairlead's rules (nft (pid 4711) flushed the ruleset); they are written anew",
			},
		]);
		expect(world.log.lines).toContainEqual({
			level: "warn",
			fields: { drift: "nft (pid 4711) flushed the ruleset" },
			message: "somebody changed the rules; writing them anew",
		});
	});

	it("a change that comes first is written with everything else, and it is said all the same", async () => {
		await threeServed();
		world.backend.drifted = "nft (pid 4711) changed table fairlead";
		world.put(nthSlice(1, "10.244.9.1@node-1"));
		await world.clock.advance(20);
		expect(world.backend.calls).toEqual(["replace"]);
		expect(incidents.map(({ reason }) => reason)).toEqual(["RulesRepaired"]);
	});

	it("nobody is suspected where it cannot be seen; all rules are written anew, and it is said why", async () => {
		await threeServed();
		const failure = new Error("cannot read netlink notifications: ENOMEM");
		const drift = jest
			.spyOn(world.backend, "drift")
			.mockImplementationOnce(() => {
				throw failure;
			});
		await world.clock.advance(1_000);
		drift.mockRestore();
		expect(world.backend.calls).toEqual(["replace"]);
		expect(incidents).toEqual([]);
		expect(world.log.lines).toContainEqual({
			level: "warn",
			fields: { err: failure },
			message:
				"it cannot be seen whether somebody changed the rules; writing them anew",
		});
	});

	it("nothing is written when nobody did", async () => {
		await threeServed();
		await world.clock.advance(60_000);
		expect(world.backend.calls).toEqual([]);
	});
});

test("all rules are written anew about every hour", async () => {
	await threeServed();
	await world.clock.advance(4_000_000);
	expect(world.backend.calls).toEqual(["replace"]);
});

describe("how far the rules reflect the cluster", () => {
	it("is known once they do, not before", async () => {
		await threeServed();
		world.backend.refuses = () => "EBUSY";
		const services = world.put(serviceOf({ clusterIPs: ["10.96.0.4"] }));
		let reached = false;
		const waiting = loop.reached({ services }).then(() => {
			reached = true;
		});
		await world.clock.advance(1_000);
		expect(reached).toBe(false);
		world.backend.refuses = () => undefined;
		await world.clock.advance(30_000);
		await waiting;
		expect(loop.watermark?.services).toBe(services);
	});

	it("moves with a bookmark, though nothing changed", async () => {
		await threeServed();
		world.stores.services.advance("5000");
		const waiting = loop.reached({ services: "5000" });
		await world.clock.advance(1_000);
		await waiting;
	});
});

test("stopping leaves the rules as they are, and writes nothing more", async () => {
	await threeServed();
	world.put(nthSlice(1, "10.244.9.1@node-1"));
	loop.stop();
	await world.clock.advance(10_000_000);
	expect(world.backend.calls).toEqual(["close"]);
	expect(endpointsOf("10.96.0.1")).toEqual(["10.244.1.1"]);
});
