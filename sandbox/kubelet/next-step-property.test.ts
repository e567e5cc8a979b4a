import fc from "fast-check";
import type { Pod } from "../../operator/api/core.ts";
import { afterRestart } from "./crash-loop.ts";
import { type Action, nextStep } from "./next-step.ts";
import { phaseOf } from "./pod-phase.ts";
import { newRuntime, type PodRuntime, runtimeOf } from "./pod-runtime.ts";
import { container, defaults, deleted, podOf, said } from "./test-runtime.ts";

/** Does what a step says, as the worker would, with containers that live as a test wishes. */
class World {
	readonly pod: Pod;
	readonly runtime: PodRuntime;
	readonly did: string[] = [];
	now = 0;

	constructor(pod: Pod) {
		this.pod = pod;
		this.runtime = newRuntime(pod, { wall: 0, monotonic: 0 });
	}

	settle(): { wakeAt: number | undefined; over: boolean } {
		for (let round = 0; round < 20; round++) {
			const step = nextStep(this.pod, this.runtime, this.now);
			if (step.actions.length === 0) return step;
			for (const action of step.actions) this.#do(action);
			this.now++;
		}
		throw new Error(`never settles: ${this.did.slice(-20).join(", ")}`);
	}

	end(name: string, exitCode: number): void {
		const known = runtimeOf(this.runtime, name);
		if (known.state.is !== "running") return;
		known.state = {
			is: "ended",
			ended: { exitCode, reason: "x", startedAt: 0, finishedAt: 0 },
			endedAt: this.now,
		};
	}

	#do(action: Action): void {
		this.did.push(said(action));
		const { runtime } = this;
		if (action.do === "connect") runtime.network = { is: "up", ip: "i" };
		else if (action.do === "disconnect")
			runtime.network = { is: "released", ip: "i" };
		else if (action.do === "start") {
			const known = runtimeOf(runtime, action.container.name);
			expect(known.state.is).not.toBe("running");
			expect(runtime.network.is).toBe("up");
			if (known.state.is === "ended") {
				known.loop = afterRestart(known.loop, known.state.endedAt, this.now);
				known.last = known.state.ended;
			}
			if (!action.init) {
				for (const each of this.pod.spec.initContainers ?? []) {
					const { state } = runtimeOf(runtime, each.name);
					if (!runtime.begun && !each.restartPolicy)
						expect(state).toMatchObject({
							is: "ended",
							ended: { exitCode: 0 },
						});
				}
				runtime.begun = true;
			}
			known.starts++;
			known.state = { ...defaults.running, is: "running" };
		} else {
			const { state } = runtimeOf(runtime, action.container);
			if (state.is !== "running") throw new Error("not running");
			if (action.do === "stop")
				state.stop = { killAt: action.killAt, killed: false };
			else {
				if (state.stop) state.stop.killed = true;
				this.end(action.container, 137);
			}
		}
	}
}

it("settles after whatever happens, and a deleted pod is over within its grace", () => {
	const happening = fc.oneof(
		fc.record({
			end: fc.constantFrom("a", "b", "first", "proxy"),
			code: fc.constantFrom(0, 1),
		}),
		fc.record({ wait: fc.nat({ max: 400_000 }) }),
		fc.record({ unwell: fc.constantFrom("a", "b") }),
	);
	fc.assert(
		fc.property(
			fc.constantFrom(
				"Always" as const,
				"OnFailure" as const,
				"Never" as const,
			),
			fc.boolean(),
			fc.array(happening, { maxLength: 30 }),
			(restartPolicy, prepared, happenings) => {
				const pod = podOf({
					restartPolicy,
					containers: [container("a"), container("b")],
					...(prepared && {
						initContainers: [
							container("first"),
							container("proxy", { restartPolicy: "Always" }),
						],
					}),
				});
				const world = new World(pod);
				let over = false;
				world.settle();
				for (const happened of happenings) {
					if ("wait" in happened) world.now += happened.wait;
					else if ("end" in happened) {
						if (world.runtime.containers.has(happened.end))
							world.end(happened.end, happened.code);
					} else {
						const { state } = runtimeOf(world.runtime, happened.unwell);
						if (state.is === "running") state.unwell = { message: "m" };
					}
					const step = world.settle();
					// What is over stays over.
					expect(over && !step.over).toBe(false);
					over = step.over;
					if (over && restartPolicy === "Always")
						throw new Error("a pod that restarts always is never over");
				}
				Object.assign(pod.metadata, deleted(30));
				world.runtime.endingAt = world.now;
				const deadline = world.now + 32_000 + 100;
				for (let step = world.settle(); !step.over; step = world.settle()) {
					expect(step.wakeAt).toBeDefined();
					world.now = step.wakeAt as number;
					expect(world.now).toBeLessThanOrEqual(deadline);
				}
				expect(world.runtime.network.is).not.toBe("up");
				expect(phaseOf(pod, world.runtime)).not.toBe("Running");
			},
		),
		{ numRuns: 500 },
	);
});
