import { Registry } from "prom-client";
import { Controller } from "../../operator/controller/controller.ts";
import { FairleadError } from "../../operator/errors.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Life, MemoryCluster } from "../support/memory-cluster.ts";
import { quietLog } from "../support/quiet-log.ts";

/** A controller whose question for the cluster's id is answered by `answer` alone. */
function asking() {
	const log = quietLog();
	const clock = new FakeClock();
	const client = new MemoryCluster().client(
		new Life(Number.POSITIVE_INFINITY, () => {}),
	);
	let answer: (error: FairleadError) => void = () => {};
	const asked = new Promise<void>((resolve) => {
		client.get = (_resource, { name }) => {
			if (name !== "kube-system") throw new Error(`${name} is not asked for`);
			resolve();
			return new Promise((_answered, reject) => {
				answer = reject;
			});
		};
	});
	const controller = new Controller({
		client,
		clock,
		random: () => 0.5,
		log,
		metrics: new Registry(),
		identity: "controller",
		leaseNamespace: undefined,
		clusterId: undefined,
		workers: 1,
		auditSchedule: "0 0 1 1 *",
	});
	const warned = () =>
		log.lines
			.filter(({ level }) => level === "warn" || level === "error")
			.map(({ message }) => message);
	return {
		...{ asked, controller, warned, clock },
		refuse: async (message: string) => {
			answer(new FairleadError("KubeUnreachable", message));
			await clock.advance(0);
		},
	};
}

it("says that the cluster's id cannot be read, while it runs", async () => {
	const { asked, controller, warned, refuse } = asking();
	controller.start();
	await asked;
	await refuse("nobody listens");
	expect(warned()).toEqual(["cluster id: nobody listens"]);
	await controller.stop();
});

it("says nothing of a question that its own end cut short", async () => {
	const { asked, controller, warned, refuse } = asking();
	controller.start();
	await asked;
	await controller.stop();
	await refuse("the client is closed");
	expect(warned()).toEqual([]);
});
