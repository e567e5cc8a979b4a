import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { FairleadError } from "../errors.ts";
import type {
	DesiredBalancer,
	ObservedBalancer,
} from "../model/balancer/balancer.ts";
import { balancerIdentity } from "../model/balancer/identity.ts";
import type { Provider } from "../providers/provider.ts";
import { ProviderCalls, type Want } from "./provider-calls.ts";

const identity = balancerIdentity("c1", "u1");
const desired: DesiredBalancer = {
	identity,
	service: { namespace: "shop", name: "web" },
	families: ["IPv4"],
	addresses: [],
	listeners: [],
	targets: [],
	sourceRanges: [],
};
const want: Want = { do: "ensure", className: "cloud", config: "a", desired };
const done: ObservedBalancer = {
	id: "7",
	addresses: ["203.0.113.7"],
	ipMode: "VIP",
	ports: [],
	targetProblems: [],
};

/** A provider whose next answers a test decides. */
function setUp() {
	const clock = new FakeClock();
	const log = quietLog();
	const answers: (() => Promise<ObservedBalancer>)[] = [];
	const signals: AbortSignal[] = [];
	const woken: string[] = [];
	const failed: string[] = [];
	let gone = true;
	const provider = {
		ensure: (_desired, signal) => {
			signals.push(signal);
			return (answers.shift() ?? (async () => done))();
		},
		delete: async () =>
			gone
				? { gone }
				: { gone: false, waitingFor: "action 3", retryAfterMs: 400 },
	} as Partial<Provider> as Provider;
	const calls = new ProviderCalls({
		clock,
		random: () => 0.5,
		log,
		provider: async () => provider,
		wake: (key) => woken.push(key),
		failed: (code) => failed.push(code),
		retryBaseMs: 1_000,
		retryCapMs: 8_000,
		callTimeoutMs: 30_000,
	});
	return {
		clock,
		log,
		answers,
		signals,
		woken,
		failed,
		calls,
		setGone: (value: boolean) => {
			gone = value;
		},
	};
}

const refusedBy = (code: "CloudServerError" | "CloudRefused") => async () => {
	throw new FairleadError(code, `cloud says ${code}`);
};

describe("calls to providers", () => {
	it("give an answer that comes at once to whoever started the call, without waking anybody", async () => {
		const { calls, woken } = setUp();
		await calls.start("shop/web", want);
		expect(calls.outcome("shop/web", want)).toEqual({
			kind: "Observed",
			balancer: done,
		});
		expect(woken).toEqual([]);
	});

	it("give the worker back while a provider takes its time, and wake the Service when it has answered", async () => {
		const { calls, answers, woken } = setUp();
		const slow = Promise.withResolvers<ObservedBalancer>();
		answers.push(() => slow.promise);
		await calls.start("shop/web", want);
		expect(calls.outcome("shop/web", want)).toEqual({ kind: "InFlight" });
		slow.resolve(done);
		await new Promise(setImmediate);
		expect(woken).toEqual(["shop/web"]);
		expect(calls.outcome("shop/web", want).kind).toBe("Observed");
	});

	it("never run twice for one Service at the same time", async () => {
		const { calls, answers, signals } = setUp();
		answers.push(() => new Promise(() => {}));
		await calls.start("shop/web", want);
		await calls.start("shop/web", want);
		expect(signals).toHaveLength(1);
	});

	it("forget the outcome as soon as something else is wanted", async () => {
		const { calls } = setUp();
		await calls.start("shop/web", want);
		const other: Want = {
			...want,
			desired: { ...desired, sourceRanges: ["10.0.0.0/8"] },
		};
		expect(calls.outcome("shop/web", other)).toEqual({ kind: "Unknown" });
		expect(calls.outcome("shop/web", want).kind).toBe("Observed");
	});

	it("are made again, whatever pause was due, when the class is edited", async () => {
		const { calls, answers } = setUp();
		answers.push(refusedBy("CloudRefused"));
		await calls.start("shop/web", want);
		const edited: Want = { ...want, config: "b" };
		expect(calls.outcome("shop/web", edited)).toEqual({ kind: "Unknown" });
		await calls.start("shop/web", edited);
		expect(calls.outcome("shop/web", edited).kind).toBe("Observed");
	});

	it("look again at work in flight when it is due, and call it slow when it takes long", async () => {
		const { calls, answers, clock, woken } = setUp();
		const pending = {
			...done,
			pending: { waitingFor: "action 5", retryAfterMs: 500 },
		};
		for (let turn = 0; turn < 12; turn++) answers.push(async () => pending);
		await calls.start("shop/web", want);
		expect(calls.outcome("shop/web", want)).toMatchObject({ slow: false });
		for (let turn = 0; turn < 11; turn++) {
			await clock.advance(500);
			expect(woken).toHaveLength(turn + 1);
			expect(calls.outcome("shop/web", want)).toEqual({ kind: "Unknown" });
			await calls.start("shop/web", want);
		}
		expect(calls.outcome("shop/web", want)).toMatchObject({ slow: true });
	});

	it("come back after growing pauses when they fail, and log the same failure once", async () => {
		const { calls, answers, clock, woken, log, failed } = setUp();
		const pauses: number[] = [];
		for (let turn = 0; turn < 5; turn++) {
			answers.push(refusedBy("CloudServerError"));
			await calls.start("shop/web", want);
			expect(calls.outcome("shop/web", want)).toEqual({
				kind: "Failed",
				code: "CloudServerError",
				message: "cloud says CloudServerError",
			});
			pauses.push(...clock.waiting());
			await clock.advance(clock.waiting()[0] ?? 0);
		}
		expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 8_000]);
		expect(woken).toHaveLength(5);
		expect(failed).toHaveLength(5);
		expect(log.lines).toHaveLength(1);
	});

	it("wait as long as the other side said", async () => {
		const { calls, answers, clock } = setUp();
		answers.push(async () => {
			throw new FairleadError("CloudRateLimited", "slow down", {
				retryAfterMs: 12_345,
			});
		});
		await calls.start("shop/web", want);
		expect(clock.waiting()).toEqual([12_345]);
	});

	it("take a cloud's limit for a wait: no log, no failure, and the same words until the minute is over", async () => {
		const { calls, answers, clock, log, failed } = setUp();
		const said = new Set<string>();
		for (const retryAfterMs of [15_000, 14_000, 13_000]) {
			answers.push(async () => {
				throw new FairleadError("CloudRateLimited", "it waits", {
					retryAfterMs,
				});
			});
			await calls.start("shop/web", want);
			said.add(JSON.stringify(calls.outcome("shop/web", want)));
			await clock.advance(retryAfterMs);
		}
		expect([...said]).toEqual([
			JSON.stringify({
				kind: "Failed",
				code: "CloudRateLimited",
				message: "it waits, until about 00:01 UTC",
				delayed: true,
			}),
		]);
		expect({ log: log.lines, failed }).toEqual({ log: [], failed: [] });
	});

	it.each([
		["a short wait is not worth a word", 9_000, false, { kind: "InFlight" }],
		[
			"what was done stays done while another look waits",
			60_000,
			true,
			{ kind: "Observed", balancer: done },
		],
	])("%s", async (_, retryAfterMs, before, outcome) => {
		const { calls, answers } = setUp();
		if (before) await calls.start("shop/web", want);
		calls.forget("shop/web");
		answers.push(async () => {
			throw new FairleadError("CloudRateLimited", "it waits", { retryAfterMs });
		});
		await calls.start("shop/web", want);
		expect(calls.outcome("shop/web", want)).toEqual(outcome);
	});

	it("try what was refused for good only once in a long while", async () => {
		const { calls, answers, clock } = setUp();
		answers.push(refusedBy("CloudRefused"));
		await calls.start("shop/web", want);
		expect(clock.waiting()).toEqual([8_000]);
	});

	it("fail when a provider does not answer in time, and tell it to stop", async () => {
		const { calls, answers, signals, clock, woken } = setUp();
		answers.push(
			() =>
				new Promise((_resolve, reject) => {
					signals[0]?.addEventListener("abort", () =>
						reject(signals[0]?.reason as Error),
					);
				}),
		);
		await calls.start("shop/web", want);
		await clock.advance(30_000);
		expect(calls.outcome("shop/web", want)).toMatchObject({
			kind: "Failed",
			message: "the provider did not answer within 30 s",
		});
		expect(woken).toEqual(["shop/web"]);
	});

	it("say that something is gone only when the provider says so", async () => {
		const { calls, setGone, clock } = setUp();
		const remove: Want = {
			do: "delete",
			classNames: ["a", "b"],
			configs: ["", ""],
			identity,
		};
		setGone(false);
		await calls.start("shop/web", remove);
		expect(calls.outcome("shop/web", remove)).toEqual({
			kind: "Deleting",
			waitingFor: "action 3",
		});
		setGone(true);
		await clock.advance(400);
		await calls.start("shop/web", remove);
		expect(calls.outcome("shop/web", remove)).toEqual({ kind: "Gone" });
	});

	it.each([8_640_000_000_000_000, Number.MAX_SAFE_INTEGER, Infinity])(
		"ask again after a day, however long the other side wants to be left alone: %d ms",
		async (retryAfterMs) => {
			for (const code of ["CloudRateLimited", "CloudServerError"] as const) {
				const { calls, answers, clock, log } = setUp();
				answers.push(async () => {
					throw new FairleadError(code, "it waits", { retryAfterMs });
				});
				await calls.start("shop/web", want);
				expect(calls.outcome("shop/web", want)).toMatchObject({
					kind: "Failed",
					code,
				});
				expect(clock.waiting()).toEqual([86_400_000]);
				expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
			}
		},
	);

	it("never run twice for one Service, though it is forgotten and wanted again meanwhile", async () => {
		const { calls, answers, signals, woken } = setUp();
		const slow = Promise.withResolvers<ObservedBalancer>();
		answers.push(() => slow.promise);
		await calls.start("shop/web", want);
		calls.drop("shop/web");
		const edited: Want = { ...want, config: "b" };
		expect(calls.outcome("shop/web", edited)).toEqual({ kind: "InFlight" });
		await calls.start("shop/web", edited);
		expect(signals).toHaveLength(1);
		slow.resolve(done);
		await new Promise(setImmediate);
		expect(woken).toEqual(["shop/web"]);
		expect(calls.outcome("shop/web", edited)).toEqual({ kind: "Unknown" });
		await calls.start("shop/web", edited);
		expect(signals).toHaveLength(2);
	});

	it("that were forgotten while they ran wake nobody for another look", async () => {
		const { calls, answers, clock } = setUp();
		const slow = Promise.withResolvers<ObservedBalancer>();
		answers.push(() => slow.promise);
		await calls.start("shop/web", want);
		calls.drop("shop/web");
		slow.reject(new FairleadError("CloudServerError", "no"));
		await new Promise(setImmediate);
		expect(clock.waiting()).toEqual([]);
	});

	it("end without a word when the term is over", async () => {
		const { calls, answers, signals, log, woken } = setUp();
		answers.push(
			() =>
				new Promise((_resolve, reject) => {
					signals[0]?.addEventListener("abort", () =>
						reject(signals[0]?.reason as Error),
					);
				}),
		);
		await calls.start("shop/web", want);
		await calls.end();
		expect(signals[0]?.aborted).toBe(true);
		expect(log.lines).toEqual([]);
		expect(calls.outcome("shop/web", want)).toEqual({ kind: "InFlight" });
		expect(woken).toEqual(["shop/web"]);
		await calls.start("shop/web", want);
		expect(signals).toHaveLength(1);
	});
});
