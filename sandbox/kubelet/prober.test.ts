import type { Probe } from "../../operator/api/core.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Prober, type ProbeKind } from "./prober.ts";

/** Runs a prober whose looks succeed from `okFrom` until `okUntil` (seconds); gives when it looked and what it said. */
async function watch(
	kind: ProbeKind,
	probe: Probe,
	times: { okFrom: number; okUntil?: number; forSeconds: number },
) {
	const clock = new FakeClock();
	const seconds = () => clock.monotonic() / 1000;
	const looks: number[] = [];
	const said: string[] = [];
	const { okFrom, okUntil = Number.POSITIVE_INFINITY } = times;
	const prober = new Prober({
		kind,
		probe,
		clock,
		look: () => {
			looks.push(seconds());
			const ok = seconds() >= okFrom && seconds() < okUntil;
			return Promise.resolve({ ok, message: "m" });
		},
		onVerdict: (verdict) => said.push(`${verdict} at ${seconds()}`),
		onFailure: () => said.push(`failure at ${seconds()}`),
		onProblem: () => said.push("problem"),
	});
	await clock.advance(times.forSeconds * 1000);
	prober.stop();
	expect(clock.waiting()).toEqual([]);
	return { looks, said };
}

it("finds a container ready soon after it is, and then looks every period", async () => {
	const { looks, said } = await watch(
		"readiness",
		{ periodSeconds: 10 },
		{ okFrom: 0.05, forSeconds: 30 },
	);
	expect(looks).toEqual([0, 0.02, 0.06, 10.06, 20.06]);
	expect(said).toEqual(["success at 0.06"]);
});

it("does not count failures before the first period is over", async () => {
	const { looks, said } = await watch(
		"readiness",
		{ periodSeconds: 1 },
		{ okFrom: 99, forSeconds: 3.5 },
	);
	expect(looks.slice(0, 4)).toEqual([0, 0.02, 0.06, 0.14]);
	expect(looks.slice(-3)).toEqual([1, 2, 3]);
	expect(said).toEqual(["failure at 1", "failure at 2", "failure at 3"]);
});

it("waits as long as it is told to before the first look", async () => {
	const { looks } = await watch(
		"readiness",
		{ initialDelaySeconds: 5, periodSeconds: 10 },
		{ okFrom: 0, forSeconds: 16 },
	);
	expect(looks).toEqual([5, 15]);
});

it.each([0, -1])(
	"takes a period of %d seconds for the nearest that makes sense",
	async (periodSeconds) => {
		const probe = { periodSeconds, initialDelaySeconds: 1 };
		const { looks } = await watch("liveness", probe, {
			okFrom: 0,
			forSeconds: 12,
		});
		expect(looks.slice(0, 2)).toEqual([1, periodSeconds === 0 ? 11 : 2]);
	},
);

it("gives a container up when it fails often enough in a row", async () => {
	const { said } = await watch(
		"liveness",
		{ periodSeconds: 1, failureThreshold: 3 },
		{ okFrom: 0, okUntil: 2.5, forSeconds: 6 },
	);
	expect(said).toEqual([
		"failure at 3",
		"failure at 4",
		"failure at 5",
		"failure at 5",
		"failure at 6",
	]);
});

it("gives a container one period to come up before it asks whether it lives", async () => {
	const { looks } = await watch(
		"liveness",
		{ periodSeconds: 10 },
		{ okFrom: 0, forSeconds: 25 },
	);
	expect(looks).toEqual([10, 20]);
});

it("says when a container has started, and when it has failed to", async () => {
	expect(
		(
			await watch(
				"startup",
				{ periodSeconds: 1 },
				{ okFrom: 1.5, forSeconds: 2 },
			)
		).said,
	).toEqual(["failure at 1", "success at 2"]);
	expect(
		(
			await watch(
				"startup",
				{ periodSeconds: 1, failureThreshold: 2 },
				{ okFrom: 99, forSeconds: 2 },
			)
		).said,
	).toEqual(["failure at 1", "failure at 2", "failure at 2"]);
});
