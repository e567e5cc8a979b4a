import { AgentWorld } from "../../../test/support/agent-world.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { serviceOf, sliceOf } from "../../../test/support/rules-world.ts";
import { type Agent, startAgent } from "../agent.ts";
import type { AgentIncident } from "./incidents.ts";
import { guardTimes, keepGuard } from "./keep-guard.ts";

const { renewMs, timeoutMs } = guardTimes;

describe("a guard", () => {
	const kept = () => {
		const clock = new FakeClock();
		const state = {
			healthy: true,
			renewals: 0,
			fails: undefined as Error | undefined,
			told: [] as Error[],
		};
		const end = keepGuard({
			backend: {
				keepAlive() {
					if (state.fails) throw state.fails;
					state.renewals++;
				},
			},
			clock,
			healthy: () => state.healthy,
			failed: (error) => state.told.push(error),
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

	it("that cannot be renewed is told of, and tried again", async () => {
		const { clock, state } = kept();
		state.fails = new Error("ENOBUFS");
		await clock.advance(renewMs);
		expect(state.told).toEqual([state.fails]);
		expect(state.renewals).toBe(0);
		state.fails = undefined;
		await clock.advance(renewMs);
		expect(state.told).toHaveLength(1);
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
	let world: AgentWorld;
	let renewals: number;
	let fails: Error | undefined;
	let incidents: AgentIncident[];

	beforeEach(async () => {
		world = new AgentWorld();
		renewals = 0;
		fails = undefined;
		incidents = [];
		agent = await startAgent({
			node: "node-1",
			stores: world.stores,
			backend: Object.assign(world.backend, {
				keepAlive() {
					if (fails) throw fails;
					renewals++;
				},
			}),
			clock: world.clock,
			random: () => 0.5,
			log: world.log,
			metrics: world.metrics,
			tell: (incident) => incidents.push(incident),
		});
	});

	afterEach(() => agent.stop());

	async function served(): Promise<void> {
		world.put(serviceOf());
		world.put(sliceOf(["10.244.1.2@node-1"]));
		await world.listed();
		await agent.synced;
	}

	it("renews its guard once its rules are written, and not while the kernel refuses them", async () => {
		await world.clock.advance(timeoutMs);
		expect(renewals).toBe(0);
		await served();
		await world.clock.advance(timeoutMs);
		expect(renewals).toBeGreaterThan(0);
		world.backend.refuses = () => "no more memory";
		world.backend.drifted = "somebody";
		await world.clock.advance(renewMs);
		expect(agent.notReady()).toContain("rules: no more memory");
		const before = renewals;
		await world.clock.advance(timeoutMs);
		expect(renewals).toBe(before);
	});

	it("writes all rules anew when its guard cannot be renewed, says why, and suspects nobody", async () => {
		await served();
		world.backend.calls.length = 0;
		fails = new Error("cannot change nftables: ENOBUFS");
		await world.clock.advance(renewMs);
		expect(world.backend.calls).toEqual(["replace"]);
		expect(incidents).toEqual([]);
		expect(world.log.lines).toContainEqual({
			level: "warn",
			fields: { err: fails },
			message:
				"the guard of the rules cannot be renewed; writing all rules anew",
		});
		world.backend.refuses = () => "no more memory";
		await world.clock.advance(renewMs);
		expect(incidents).toEqual([
			{ reason: "RulesFailed", note: "no more memory" },
		]);
	});
});
