import { type FakeKube, unreachable } from "../../test/support/fake-kube.ts";
import { FakeProcess } from "../../test/support/fake-process.ts";
import { contender, world } from "../../test/support/lease-world.ts";
import type { Lease } from "../api/core.ts";
import { sleep } from "../clock.ts";
import { FairleadError } from "../errors.ts";
import type { LeaseElectorOptions } from "./lease.ts";

const stored = (kube: FakeKube) =>
	(kube.objects.get("ns/controller") as Lease).spec;
const notLeading = expect.objectContaining({ code: "NotLeading" });

describe("a contender", () => {
	test("creates the Lease, leads, and renews it", async () => {
		const { clock, kube } = world();
		const a = contender(kube, clock, "a");
		expect(a.elector.isLeader()).toBe(false);
		a.elector.start();
		await clock.advance(0);
		expect(a.elector.isLeader()).toBe(true);
		expect(a.told).toEqual(["sees a", "started"]);
		const first = stored(kube);
		expect(first).toEqual({
			holderIdentity: "a",
			leaseDurationSeconds: 15,
			leaseTransitions: 0,
			acquireTime: first?.renewTime,
			renewTime: expect.stringMatching(
				/^2026-01-01T00:00:00\.\d{6}Z$/,
			) as string,
		});
		await clock.advance(60_000);
		expect(stored(kube)?.renewTime).toMatch(/^2026-01-01T00:01:00/);
		expect(stored(kube)?.acquireTime).toBe(first?.acquireTime);
		expect(a.told).toEqual(["sees a", "started"]);
	});

	test("stands by as long as the holder renews, whatever the clocks on the walls say", async () => {
		const { clock, kube } = world();
		const a = contender(kube, clock, "a");
		const off = new FakeProcess(clock, { wallOffset: 86_400_000 });
		const b = contender(kube, off, "b");
		a.elector.start();
		await clock.advance(100);
		b.elector.start();
		await clock.advance(300_000);
		expect(b.told).toEqual(["sees a"]);
		expect(b.elector.leader).toBe("a");
		expect(b.elector.isLeader()).toBe(false);
	});

	test("takes a Lease over once it has not changed for its whole duration since it first saw it", async () => {
		const { clock, kube } = world();
		kube.set<Lease>({
			metadata: { name: "controller", namespace: "ns" },
			spec: {
				holderIdentity: "dead",
				leaseDurationSeconds: 20,
				leaseTransitions: 6,
				renewTime: "2001-01-01T00:00:00.000000Z",
			},
		});
		const b = contender(kube, clock, "b");
		b.elector.start();
		await clock.advance(19_900);
		expect(b.elector.isLeader()).toBe(false);
		await clock.advance(3000);
		expect(b.elector.isLeader()).toBe(true);
		expect(stored(kube)).toMatchObject({
			holderIdentity: "b",
			leaseTransitions: 7,
			leaseDurationSeconds: 15,
		});
	});

	test("takes a released Lease at its next attempt", async () => {
		const { clock, kube } = world();
		const a = contender(kube, clock, "a");
		const b = contender(kube, clock, "b");
		a.elector.start();
		await clock.advance(100);
		b.elector.start();
		await clock.advance(5000);
		const { signal } = a.terms[0] as { signal: AbortSignal };
		await a.elector.release();
		expect(stored(kube)).toMatchObject({
			holderIdentity: "",
			leaseDurationSeconds: 1,
		});
		expect(a.told).toEqual(["sees a", "started", "stopped"]);
		expect(signal.aborted).toBe(true);
		await clock.advance(3000);
		expect(b.told).toEqual(["sees a", "sees b", "started"]);
		await clock.advance(60_000);
		expect(a.elector.isLeader()).toBe(false);
	});

	test("that fails says so once, and once that it is over", async () => {
		const { clock, kube } = world();
		const a = contender(kube, clock, "a");
		kube.before = () => {
			throw unreachable();
		};
		a.elector.start();
		await clock.advance(60_000);
		kube.before = () => {};
		await clock.advance(5000);
		expect(a.elector.isLeader()).toBe(true);
		expect(
			a.log.lines
				.map((line) => line.message)
				.filter((m) => /reach|conn/.test(m)),
		).toEqual(["connection refused", "the lease can be reached again"]);
	});

	test("comes back as late as 429 with Retry-After says", async () => {
		const { clock, kube } = world();
		const a = contender(kube, clock, "a");
		kube.before = () => {
			throw new FairleadError("KubeTooManyRequests", "slow down", {
				retryAfterMs: 30_000,
			});
		};
		a.elector.start();
		await clock.advance(29_000);
		expect(kube.calls).toHaveLength(1);
		kube.before = () => {};
		await clock.advance(1000);
		expect(a.elector.isLeader()).toBe(true);
	});
});

describe("a leader", () => {
	async function leading(options: Partial<LeaseElectorOptions> = {}) {
		const { clock, kube } = world();
		const a = contender(kube, clock, "a", options);
		a.elector.start();
		await clock.advance(100);
		a.elector.assertLeading();
		return { clock, kube, ...a };
	}

	test("that cannot renew stops at its deadline, not later, and leads again when it can", async () => {
		const { clock, kube, elector, told } = await leading();
		kube.before = () => {
			throw unreachable();
		};
		await clock.advance(9800);
		expect(elector.isLeader()).toBe(true);
		await clock.advance(200);
		expect(told).toEqual(["sees a", "started", "stopped"]);
		expect(() => elector.assertLeading()).toThrow(notLeading as Error);
		kube.before = () => {};
		await clock.advance(5000);
		expect(told).toEqual(["sees a", "started", "stopped", "started"]);
		expect(stored(kube)?.leaseTransitions).toBe(0);
	});

	test("paused past its deadline finds out before its next write, no timer having fired", async () => {
		const { clock, elector, told, terms } = await leading();
		const fence = elector.fence();
		clock.pause(10_000);
		expect(fence).toThrow(notLeading as Error);
		expect(told).toEqual(["sees a", "started", "stopped"]);
		expect(terms[0]?.signal.aborted).toBe(true);
		expect(elector.isLeader()).toBe(false);
	});

	test("that leads again does not open the fence of its former term", async () => {
		const { clock, elector, terms } = await leading();
		const fence = elector.fence();
		fence();
		clock.pause(10_000);
		await clock.advance(5000);
		expect(elector.isLeader()).toBe(true);
		expect(fence).toThrow(notLeading as Error);
		expect(terms).toHaveLength(2);
		terms[1]?.fence();
	});

	test("counts its deadline from when a renewal began, not from when its answer came", async () => {
		const { clock, kube, elector } = await leading();
		kube.after = () => sleep(clock, 4000);
		await clock.advance(2000);
		kube.before = () => {
			throw unreachable();
		};
		// Renewed at 2,000, heard at 6,000.
		await clock.advance(9800);
		expect(elector.isLeader()).toBe(true);
		await clock.advance(100);
		expect(elector.isLeader()).toBe(false);
	});

	test("whose renewals' answers are lost reads that it did renew", async () => {
		const { clock, kube, elector, told } = await leading();
		kube.after = (call) => {
			if (call.verb === "replace") throw unreachable("the answer was lost");
		};
		await clock.advance(120_000);
		expect(elector.isLeader()).toBe(true);
		expect(told).toEqual(["sees a", "started"]);
	});

	test("whose renewals never arrive is not fooled by a Lease that still names it", async () => {
		const { clock, kube, elector } = await leading();
		kube.before = (call) => {
			if (call.verb === "replace") throw unreachable();
		};
		await clock.advance(9800);
		expect(elector.isLeader()).toBe(true);
		await clock.advance(200);
		expect(elector.isLeader()).toBe(false);
	});

	test("whose Lease another took stops at once when it sees that", async () => {
		const { clock, kube, told } = await leading();
		kube.set<Lease>({
			metadata: { name: "controller", namespace: "ns" },
			spec: { holderIdentity: "thief", leaseDurationSeconds: 15 },
		});
		await clock.advance(2000);
		expect(told).toEqual(["sees a", "started", "sees thief", "stopped"]);
	});

	test("whose Lease was deleted makes it anew", async () => {
		const { clock, kube, told } = await leading();
		kube.unset("ns/controller");
		await clock.advance(2000);
		expect(stored(kube)?.holderIdentity).toBe("a");
		expect(told).toEqual(["sees a", "started"]);
	});

	test("keeps what others wrote on the Lease", async () => {
		const { clock, kube } = await leading();
		const lease = kube.objects.get("ns/controller") as Lease;
		kube.set<Lease>({
			...lease,
			metadata: { ...lease.metadata, labels: { team: "x" } },
		});
		await clock.advance(5000);
		expect(kube.objects.get("ns/controller")?.metadata.labels).toEqual({
			team: "x",
		});
	});

	test("whose listener fails leads all the same", async () => {
		const { elector, log } = await leading({
			onStartedLeading: () => {
				throw new Error("deaf");
			},
		});
		expect(elector.isLeader()).toBe(true);
		expect(log.lines.filter((line) => line.level === "error")).toHaveLength(1);
	});
});

test("the answer of the creation may be lost: the next attempt finds the Lease to be ours", async () => {
	const { clock, kube } = world();
	const a = contender(kube, clock, "a");
	kube.after = (call) => {
		if (call.verb === "create") throw unreachable("the answer was lost");
	};
	a.elector.start();
	await clock.advance(3000);
	expect(a.elector.isLeader()).toBe(true);
	expect(stored(kube)?.leaseTransitions).toBe(0);
	expect(kube.calls.map((call) => call.verb)).toEqual(["get", "create", "get"]);
});

test("releasing with nobody to reach ends all the same, and says so", async () => {
	const { clock, kube } = world();
	const a = contender(kube, clock, "a");
	a.elector.start();
	await clock.advance(100);
	kube.before = () => new Promise(() => {});
	const released = a.elector.release();
	expect(a.elector.isLeader()).toBe(false);
	await clock.advance(5000);
	await released;
	expect(clock.waiting()).toEqual([]);
	expect(a.log.lines.at(-1)?.message).toMatch(/could not give the lease up/);
});

test("a renewal that arrives while its sender releases does not keep the Lease", async () => {
	const { clock, kube } = world();
	const a = contender(kube, clock, "a");
	a.elector.start();
	await clock.advance(100);
	kube.before = (call) =>
		call.verb === "replace" ? sleep(clock, 50) : undefined;
	await clock.advance(1910);
	const released = a.elector.release();
	await clock.advance(500);
	await released;
	expect(stored(kube)?.holderIdentity).toBe("");
});

test.each([
	["lease duration no longer than the renew deadline", 10_000, 10_000, 2000],
	["renew deadline no longer than the retry period", 15_000, 2000, 2000],
])("refuses a %s", (_what, leaseDurationMs, renewDeadlineMs, retryPeriodMs) => {
	const { clock, kube } = world();
	expect(() =>
		contender(kube, clock, "a", {
			leaseDurationMs,
			renewDeadlineMs,
			retryPeriodMs,
		}),
	).toThrow(
		expect.objectContaining({ code: "FlagInvalid" }) as unknown as Error,
	);
});
