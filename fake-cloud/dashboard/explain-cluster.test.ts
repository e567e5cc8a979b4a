import { FakeClock } from "../../test/support/fake-clock.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { explainCluster } from "./explain-cluster.ts";

/** A cluster whose lists take `ms` each, all at the same time. */
function setUp(ms: number) {
	const clock = new FakeClock();
	const state = { lists: 0, down: false };
	const client = {
		list: async () => {
			state.lists++;
			await new Promise<void>((resolve) => clock.after(ms, resolve));
			if (state.down) throw new FairleadError("KubeUnreachable", "down");
			return { metadata: { resourceVersion: "1" }, items: [] };
		},
		get: async () => {
			throw new FairleadError("KubeNotFound", "no Lease");
		},
	} as unknown as Pick<KubeClient, "list" | "get">;
	const explain = explainCluster(client, { clock, namespace: "fairlead" });
	return { clock, state, explain };
}

describe("the Services a dashboard says are pending", () => {
	it("are read once for all pages that ask meanwhile", async () => {
		const { clock, state, explain } = setUp(100);
		const asked = [explain(), explain(), explain()];
		await clock.advance(100);
		expect(await Promise.all(asked)).toEqual([[], [], []]);
		const perReading = state.lists;
		const again = explain();
		expect(await again).toEqual([]);
		expect(state.lists).toBe(perReading);
	});

	it.each([
		["20 ms is read whenever it is asked, every five seconds", 20, 12],
		["2 s is read three times a minute", 2_000, 3],
	])("in a cluster that takes %s", async (_row, ms, readings) => {
		const { clock, state, explain } = setUp(ms);
		void explain();
		await clock.advance(ms);
		const perReading = state.lists;
		state.lists = 0;
		for (let second = 5; second <= 60; second += 5) {
			await clock.advance(5_000 - (second === 5 ? ms : 0));
			void explain();
		}
		await clock.advance(ms);
		expect(state.lists / perReading).toBe(readings);
	});

	it("are asked for anew after a failure, which is told to who asked", async () => {
		const { clock, state, explain } = setUp(100);
		state.down = true;
		const failed = expect(explain()).rejects.toThrow("down");
		await clock.advance(100);
		await failed;
		state.down = false;
		const asked = explain();
		await clock.advance(100);
		expect(await asked).toEqual([]);
	});
});
