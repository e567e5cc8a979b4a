import { FakeClock } from "./fake-clock.ts";
import { FakeKube } from "./fake-kube.ts";
import { FakeProcess } from "./fake-process.ts";
import { quietLog } from "./quiet-log.ts";
import type { Clock } from "../../operator/clock.ts";
import {
	type Fence,
	LeaseElector,
	type LeaseElectorOptions,
} from "../../operator/cluster/lease.ts";

/** An API server in memory, and its time. */
export function world() {
	const clock = new FakeClock();
	return { clock, kube: new FakeKube(clock) };
}

/** A contender for one Lease, and what its listeners were told. */
export function contender(
	kube: FakeKube,
	clock: Clock,
	identity: string,
	options: Partial<LeaseElectorOptions> = {},
) {
	const told: string[] = [];
	const log = quietLog();
	const terms: { signal: AbortSignal; fence: Fence }[] = [];
	const elector = new LeaseElector({
		client: clock instanceof FakeProcess ? clock.client(kube) : kube,
		namespace: "ns",
		name: "controller",
		identity,
		clock,
		random: () => 0.5,
		log,
		onStartedLeading: (signal, fence) => {
			terms.push({ signal, fence });
			told.push("started");
		},
		onStoppedLeading: () => told.push("stopped"),
		onNewLeader: (leader) => told.push(`sees ${leader}`),
		...options,
	});
	return { elector, told, terms, log };
}
