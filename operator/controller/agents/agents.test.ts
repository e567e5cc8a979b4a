import { AgentsWorld } from "../../../test/support/agents-world.ts";

const names = ({ agents }: AgentsWorld) =>
	agents.carriers.map(({ node }) => node);

describe("nodes that matter", () => {
	it("are the ready ones with a live agent that programs, by name", async () => {
		const world = new AgentsWorld();
		for (const name of ["c", "a", "b", "d", "e"]) world.node(name);
		world.node("f", "False");
		world.report("c", 5);
		world.report("a", 7);
		world.report("b", 9, { rules: "balancers" });
		world.report("d", 1, { rules: "audit" });
		world.report("f", 1);
		world.report("nowhere", 1);
		await world.settled();
		expect(names(world)).toEqual(["a", "b", "c"]);
		expect(world.agents.state).toBe("Carrying");
		expect(world.agents.floor).toEqual({
			services: "5",
			endpointSlices: "5",
		});
		expect(world.agents.counts()).toEqual({
			programming: 3,
			idle: 1,
			unready: 2,
			silent: 0,
		});
	});

	it.each<[string, string, (world: AgentsWorld) => void | Promise<void>]>([
		["there is none", "NoAgents", () => {}],
		[
			"none programs",
			"AgentsWithoutRules",
			(world) => {
				world.node("a");
				world.report("a", undefined, { rules: "off" });
			},
		],
		[
			"none is on a ready node",
			"NoReadyNodes",
			(world) => {
				world.node("a", "Unknown");
				world.report("a", 1);
			},
		],
		[
			"all have been silent for a minute",
			"NoReadyNodes",
			async (world) => {
				world.node("a");
				world.report("a", 1);
				await world.clock.advance(60_000);
			},
		],
		[
			"the silent ones did not program",
			"AgentsWithoutRules",
			async (world) => {
				world.node("a");
				world.report("a", undefined, { rules: "off" });
				await world.clock.advance(60_000);
			},
		],
		[
			"the Leases of the silent ones are deleted",
			"NoAgents",
			async (world) => {
				world.node("a");
				world.report("a", 1);
				await world.clock.advance(60_000);
				world.leases.remove(world.lease("a", 1));
			},
		],
	])("are told apart where %s", async (_where, state, furnish) => {
		const world = new AgentsWorld();
		await furnish(world);
		expect(world.agents.state).toBe(state);
	});

	it("no longer count a node that is deleted, unready, or whose Lease is gone or another's", async () => {
		const world = new AgentsWorld();
		for (const name of ["a", "b", "c", "d"]) {
			world.node(name);
			world.report(name, 1);
		}
		await world.settled();
		const node = world.nodes.get("a");
		if (node)
			world.nodes.remove({
				...node,
				metadata: { ...node.metadata, resourceVersion: world.next() },
			});
		world.node("b", "Unknown");
		const lease = world.lease("c", 1);
		world.leases.remove(lease);
		const forged = world.lease("d", 1);
		forged.spec = { ...forged.spec, holderIdentity: "x" };
		world.leases.put(forged);
		expect(names(world)).toEqual([]);
	});

	it("have no floor before each of them has begun", async () => {
		const world = new AgentsWorld();
		for (const name of ["a", "b"]) world.node(name);
		world.report("a", 9);
		world.report("b", undefined);
		expect(world.agents.floor).toBeUndefined();
		world.report("b", 12);
		expect(world.agents.floor).toEqual({ services: "9", endpointSlices: "9" });
	});
});

describe("an agent that falls silent", () => {
	it("is waited for no more after 40 s without a renewal", async () => {
		const world = new AgentsWorld();
		for (const name of ["a", "b"]) {
			world.node(name);
			world.report(name, 1);
		}
		for (let seconds = 0; seconds < 60; seconds += 10) {
			expect(names(world)).toEqual(seconds < 40 ? ["a", "b"] : ["b"]);
			await world.clock.advance(10_000);
			world.report("b", 1);
		}
		expect(world.agents.counts()).toMatchObject({ programming: 1, silent: 1 });
		world.report("a", 2);
		expect(names(world)).toEqual(["a", "b"]);
	});

	it("is told to who reads the reports, and so is its return, but no mere renewal", async () => {
		const world = new AgentsWorld();
		const said: string[][] = [];
		for (const name of ["a", "b"]) world.report(name, 1);
		await world.clock.advance(0);
		const undo = world.agents.onReports(() =>
			said.push([...world.agents.reports()].map(({ node }) => node)),
		);
		for (let seconds = 0; seconds < 60; seconds += 10) {
			await world.clock.advance(10_000);
			world.report("b", 1);
		}
		expect(said).toEqual([["b"]]);
		world.report("a", 1);
		await world.clock.advance(0);
		expect(said).toEqual([["b"], ["a", "b"]]);
		undo();
		world.leases.remove(world.lease("a", 1));
		await world.clock.advance(0);
		expect(said).toHaveLength(2);
	});

	it("is not taken for gone while the API server cannot be asked, nor until agents had time to renew", async () => {
		const world = new AgentsWorld();
		world.node("a");
		world.report("a", 1);
		world.away = true;
		await world.clock.advance(600_000);
		expect(names(world)).toEqual(["a"]);
		world.away = false;
		await world.clock.advance(30_000);
		expect(names(world)).toEqual(["a"]);
		await world.clock.advance(20_000);
		expect(names(world)).toEqual([]);
	});

	it("is not taken for gone by a watch that tells nothing, as the API server knows better", async () => {
		const world = new AgentsWorld();
		world.node("a");
		world.report("a", 1);
		await world.clock.advance(39_000);
		world.unseen.set("fairlead-agent-a", world.lease("a", 8));
		await world.clock.advance(20_000);
		expect(names(world)).toEqual(["a"]);
		expect(world.agents.floor?.services).toBe("8");
	});

	it("is not taken for gone by a controller that was paused itself", async () => {
		const world = new AgentsWorld();
		world.node("a");
		world.report("a", 1);
		await world.clock.advance(1_000);
		world.clock.pause(300_000);
		world.unseen.set("fairlead-agent-a", world.lease("a", 1));
		await world.clock.advance(10_000);
		expect(names(world)).toEqual(["a"]);
	});

	it("before the controller started does not count, until it renews", async () => {
		const world = new AgentsWorld();
		world.node("a");
		const old = world.lease("a", 1);
		world.clock.pause(60_000);
		world.leases.put(old);
		expect(names(world)).toEqual([]);
		world.report("a", 1);
		expect(names(world)).toEqual(["a"]);
	});
});
