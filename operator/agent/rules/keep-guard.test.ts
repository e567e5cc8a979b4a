import { AgentWorld } from "../../../test/support/agent-world.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { serviceOf, sliceOf } from "../../../test/support/rules-world.ts";
import { type Agent, startAgent } from "../agent.ts";
import { guardTimes, keepGuard } from "./keep-guard.ts";

const { renewMs, timeoutMs } = guardTimes;

describe("a guard", () => {
	const kept = () => {
		const clock = new FakeClock();
		const state = { healthy: true, renewals: 0 };
		const end = keepGuard({
			backend: { keepAlive: () => state.renewals++ },
			clock,
			healthy: () => state.healthy,
		});
		return { clock, state, end };
	};

	it("is renewed several times within its time", async () => {
		const { clock, state } = kept();
		await clock.advance(timeoutMs);
		expect(state.renewals).toBe(timeoutMs / renewMs);
	});

	it("is not renewed while the rules are not what they should be, and again when they are", async () => {
		const { clock, state } = kept();
		state.healthy = false;
		await clock.advance(timeoutMs);
		expect(state.renewals).toBe(0);
		state.healthy = true;
		await clock.advance(renewMs);
		expect(state.renewals).toBe(1);
	});

	it("is left to run out at the end", async () => {
		const { clock, state, end } = kept();
		end();
		await clock.advance(timeoutMs);
		expect(state.renewals).toBe(0);
	});
});

describe("the agent beside another proxy", () => {
	let agent: Agent;
	afterEach(() => agent.stop());

	it("renews its guard once its rules are written, and not while the kernel refuses them", async () => {
		const world = new AgentWorld();
		let renewals = 0;
		const backend = Object.assign(world.backend, {
			keepAlive: () => renewals++,
		});
		agent = await startAgent({
			node: "node-1",
			stores: world.stores,
			backend,
			clock: world.clock,
			random: () => 0.5,
			log: world.log,
			metrics: world.metrics,
		});
		await world.clock.advance(timeoutMs);
		expect(renewals).toBe(0);
		world.put(serviceOf());
		world.put(sliceOf(["10.244.1.2@node-1"]));
		await world.listed();
		await agent.synced;
		await world.clock.advance(timeoutMs);
		expect(renewals).toBeGreaterThan(0);
		backend.refuses = () => "no more memory";
		backend.drifted = "somebody";
		await world.clock.advance(renewMs);
		expect(agent.notReady()).toContain("rules: no more memory");
		const before = renewals;
		await world.clock.advance(timeoutMs);
		expect(renewals).toBe(before);
	});
});
