import { AgentsWorld } from "../../../test/support/agents-world.ts";

async function twoNodes(): Promise<AgentsWorld> {
	const world = new AgentsWorld();
	for (const name of ["a", "b"]) {
		world.node(name);
		world.report(name, world.version);
	}
	await world.settled();
	return world;
}

describe("a Service whose record was just written", () => {
	it("is woken once, when the last node has taken it in", async () => {
		const world = await twoNodes();
		world.service("web");
		expect(world.said("web")).toBe("behind a; nobody serves");
		world.report("a", world.version);
		expect(await world.settled()).toEqual([]);
		expect(world.said("web")).toBe("behind b");
		world.report("b", world.version);
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("everywhere");
		world.report("a", world.version);
		expect(await world.settled()).toEqual([]);
	});

	it("waits for its endpoints as well, as they were when it was first asked about", async () => {
		const world = await twoNodes();
		const slices = world.slice("web");
		world.slice("other");
		const { metadata } = world.service("web");
		const reached = (endpointSlices: string) => ({
			reached: { services: metadata.resourceVersion ?? "", endpointSlices },
		});
		for (const name of ["a", "b"])
			world.report(name, undefined, reached(String(Number(slices) - 1)));
		await world.settled();
		expect(world.said("web")).toBe("behind a; nobody serves");
		world.slice("web");
		for (const name of ["a", "b"])
			world.report(name, undefined, reached(slices));
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("everywhere");
	});

	it("does not wait longer for what the controller itself writes into its status", async () => {
		const world = await twoNodes();
		const { metadata } = world.service("web");
		world.said("web");
		world.service("web", {
			programmed: { status: "False", reason: "Programming" },
		});
		for (const name of ["a", "b"]) world.report(name, metadata.resourceVersion);
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("everywhere");
		// It could not be written: the Service does not say so yet.
		world.service("web");
		expect(world.said("web")).toBe("everywhere");
	});

	it("is woken after 10 s, and is served by the nodes that have it", async () => {
		const world = await twoNodes();
		world.service("web");
		world.said("web");
		world.report("a", world.version);
		await world.clock.advance(9_999);
		expect(await world.settled()).toEqual([]);
		await world.clock.advance(1);
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("behind b; overdue");
		world.report("b", world.version);
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("everywhere");
	});

	it("that is overdue is woken when other nodes are to be named, and not otherwise", async () => {
		const world = await twoNodes();
		world.service("web");
		world.said("web");
		await world.clock.advance(10_000);
		await world.settled();
		expect(world.said("web")).toBe("behind a,b; overdue; nobody serves");
		for (let each = 0; each < 6; each++) {
			await world.clock.advance(5_000);
			world.report("a", 1);
			world.report("b", 1);
		}
		expect(await world.settled()).toEqual([]);
		world.report("b", world.version);
		await world.clock.advance(5_000);
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("behind a; overdue");
	});

	it("waits no more for a node that is gone", async () => {
		const world = await twoNodes();
		world.service("web");
		world.said("web");
		world.report("a", world.version);
		await world.settled();
		world.node("b", "Unknown");
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("everywhere");
	});

	it("waits also for a node that joins meanwhile", async () => {
		const world = await twoNodes();
		world.service("web");
		world.said("web");
		world.node("c");
		world.report("c", undefined);
		for (const name of ["a", "b"]) world.report(name, world.version);
		expect(await world.settled()).toEqual([]);
		expect(world.said("web")).toBe("behind c");
		world.report("c", world.version);
		expect(await world.settled()).toEqual(["shop/web"]);
	});

	it("that is deleted is not woken any more", async () => {
		const world = await twoNodes();
		const service = world.service("web");
		world.said("web");
		world.services.remove({
			...service,
			metadata: { ...service.metadata, resourceVersion: world.next() },
		});
		for (const name of ["a", "b"]) world.report(name, world.version);
		await world.clock.advance(30_000);
		expect(await world.settled()).toEqual([]);
		expect(world.watch.waiting).toBe(0);
	});
});

describe("a Service that all nodes have programmed", () => {
	const done = {
		programmed: { status: "True", reason: "Programmed" },
	} as const;

	it.each<[string, (world: AgentsWorld) => void]>([
		["endpoints come and go", (world) => void world.slice("web")],
		[
			"a node joins that has not begun",
			(world) => {
				world.node("c");
				world.report("c", undefined);
			},
		],
		["a node falls behind", (world) => world.report("a", 1)],
		["its status is written", (world) => void world.service("web")],
		[
			"every node is unready at once",
			(world) => {
				world.node("a", "Unknown");
				world.node("b", "Unknown");
			},
		],
		["every agent falls silent at once", () => {}],
	])("stays so when %s", async (_when, happen) => {
		const world = await twoNodes();
		world.service("web", done);
		expect(world.said("web")).toBe("everywhere");
		happen(world);
		await world.clock.advance(60_000);
		expect(await world.settled()).not.toContain("shop/web");
		expect(world.said("web")).toBe("everywhere");
	});

	it.each<[string, (world: AgentsWorld) => void]>([
		["its ports change", (world) => void world.service("web", { port: 81 })],
		[
			"it is given another address",
			(world) => void world.service("web", { address: "192.0.2.9" }),
		],
	])("is programmed anew when %s", async (_when, happen) => {
		const world = await twoNodes();
		world.service("web", done);
		happen(world);
		expect(world.said("web")).toBe("behind a; nobody serves");
		for (const name of ["a", "b"]) world.report(name, world.version);
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("everywhere");
	});

	it("is woken when a node refuses it, and when that is over", async () => {
		const world = await twoNodes();
		world.service("web", done);
		world.service("api", done);
		const refused = { "shop/web": "no room" };
		world.report("b", world.version, { refused });
		expect(await world.settled()).toEqual(["shop/web"]);
		expect(world.said("web")).toBe("everywhere; b refuses: no room");
		world.service("web", {
			programmed: { status: "False", reason: "RefusedByNodes" },
		});
		world.node("c");
		world.report("c", undefined);
		expect(world.said("web")).toBe("everywhere; b refuses: no room");
		world.report("b", world.version);
		expect(await world.settled()).toContain("shop/web");
		expect(world.said("web")).toBe("everywhere");
	});
});

describe("all Services", () => {
	it("are woken when agents come to a cluster that had none, and when the last is gone", async () => {
		const world = new AgentsWorld();
		world.service("web");
		expect(world.said("web")).toBe("NoAgents");
		world.node("a");
		world.report("a", world.version);
		expect(await world.settled()).toEqual(["*"]);
		expect(world.said("web")).toBe("everywhere");
		world.leases.remove(world.lease("a", world.version));
		expect(await world.settled()).toEqual(["*"]);
		expect(world.said("web")).toBe("NoAgents");
	});
});

describe("what waits for an agent that is stuck", () => {
	it("is bounded by the Services there are, however often they come and go", async () => {
		const world = await twoNodes();
		for (let each = 0; each < 2_000; each++) {
			const service = world.service("web");
			world.said("web");
			world.report("a", world.version);
			await world.settled();
			world.services.remove({
				...service,
				metadata: { ...service.metadata, resourceVersion: world.next() },
			});
		}
		expect(world.watch.queued).toBeLessThan(100);
		world.service("web");
		expect(world.said("web")).toBe("behind a; nobody serves");
		for (const name of ["a", "b"]) world.report(name, world.version);
		expect(await world.settled()).toContain("shop/web");
	});
});

describe("the work for a thousand agents and ten thousand Services", () => {
	it("is one waking per Service, however many reports there are", async () => {
		const world = new AgentsWorld();
		const [agents, services] = [1_000, 10_000];
		const names = Array.from(
			{ length: agents },
			(_, each) => `node-${String(each).padStart(4, "0")}`,
		);
		for (const name of names) {
			world.node(name);
			world.report(name, world.version);
		}
		await world.settled();
		for (let each = 0; each < services; each++) {
			world.service(`web-${each}`);
			world.said(`web-${each}`);
		}
		const [from, to] = [world.version - services, world.version];
		// Every agent reports once a second while all are being programmed, each a little behind the one before it.
		const seconds = 5;
		for (let second = 1; second <= seconds; second++) {
			for (const [each, name] of names.entries()) {
				const share = (second - each / agents) / (seconds - 1);
				const at = Math.min(to, Math.round(from + share * services));
				world.report(name, second === seconds ? to : at);
			}
			await world.clock.advance(1_000);
		}
		const woken = await world.settled();
		expect(woken).toHaveLength(services);
		expect(new Set(woken).size).toBe(services);
	});
});
