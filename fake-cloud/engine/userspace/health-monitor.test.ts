import fc from "fast-check";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { HealthCheck } from "../../store/records.ts";
import { HealthMonitor, type Subject } from "./health-monitor.ts";
import type { ProbeResult } from "./probe.ts";

const check: HealthCheck = {
	protocol: "tcp",
	port: 80,
	interval: 5,
	timeout: 1,
	retries: 3,
};
const failure = {
	detail: "layer4_no_connection",
	message: "refused",
	httpStatus: null,
};

/** A monitor of a target whose checks turn out as `results` says, one after the other, then as the last. */
function watch(
	results: ProbeResult[],
	subject: Subject = { address: "192.0.2.1" },
) {
	const clock = new FakeClock();
	const asked: string[] = [];
	let changes = 0;
	const monitor = new HealthMonitor(
		{
			port: 443,
			transport: "tcp",
			clock,
			msPerSecond: 1000,
			probe: async (address) => {
				asked.push(address);
				return results.length > 1 ? results.shift() : results[0];
			},
			changed: () => changes++,
		},
		check,
		subject,
	);
	return { monitor, clock, asked, changes: () => changes };
}

test("a target is looked at at once and then once an interval", async () => {
	const { monitor, clock, asked } = watch([undefined]);
	expect(monitor.health.status).toBe("unknown");
	await clock.advance(0);
	expect([monitor.health.status, asked.length]).toEqual(["healthy", 1]);
	await clock.advance(4999);
	expect(asked.length).toBe(1);
	await clock.advance(1);
	expect(asked.length).toBe(2);
	monitor.stop();
	await clock.advance(60_000);
	expect(asked.length).toBe(2);
});

test("the status follows Hetzner's rule for every sequence of results", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.boolean(), { minLength: 1, maxLength: 25 }),
			async (wells) => {
				const { monitor, clock } = watch(
					wells.map((well) => (well ? undefined : failure)),
				);
				let expected = "unknown";
				const streak = { well: 0, ill: 0 };
				for (const [i, well] of wells.entries()) {
					await clock.advance(i === 0 ? 0 : 5000);
					streak.well = well ? streak.well + 1 : 0;
					streak.ill = well ? 0 : streak.ill + 1;
					if (streak.ill >= 3) expected = "unhealthy";
					else if (well && (expected === "unknown" || streak.well >= 3))
						expected = "healthy";
					expect(monitor.health.status).toBe(expected);
				}
				monitor.stop();
			},
		),
		{ numRuns: 40 },
	);
});

test("a target without an address is unhealthy and says why, and is unknown again when it gets one", async () => {
	const { monitor, asked, clock } = watch([undefined], {
		problem: "the server is off",
	});
	expect(monitor.health).toMatchObject({
		status: "unhealthy",
		message: "the server is off",
		port: 443,
	});
	await clock.advance(60_000);
	expect(asked).toEqual([]);
	monitor.update(check, { address: "192.0.2.2" });
	expect(monitor.health.status).toBe("unknown");
	await clock.advance(0);
	expect([monitor.health.status, asked]).toEqual(["healthy", ["192.0.2.2"]]);
	monitor.stop();
});

test("only changes are told, and the time of the last one is kept", async () => {
	const { monitor, clock, changes } = watch([undefined]);
	await clock.advance(0);
	const { since } = monitor.health;
	await clock.advance(20_000);
	expect([changes(), monitor.health.since]).toEqual([1, since]);
	monitor.stop();
});

test("an update that changes nothing does not check again; another check of the same place keeps the status", async () => {
	const { monitor, clock, asked } = watch([undefined]);
	await clock.advance(0);
	monitor.update({ ...check }, { address: "192.0.2.1" });
	await clock.advance(0);
	expect(asked.length).toBe(1);
	monitor.update({ ...check, interval: 9 }, { address: "192.0.2.1" });
	expect(monitor.health.status).toBe("healthy");
	await clock.advance(0);
	expect(asked.length).toBe(2);
	monitor.stop();
});
