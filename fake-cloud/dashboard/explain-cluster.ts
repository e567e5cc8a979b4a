import type { Clock } from "../../operator/clock.ts";
import { readCluster } from "../../operator/cluster/cluster-view.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import {
	ClusterFacts,
	type ControllerPresence,
} from "../../operator/model/explain/cluster-facts.ts";
import {
	explainService,
	isWaiting,
} from "../../operator/model/explain/explain-service.ts";
import type { Explanation } from "../../operator/model/explain/explanation.ts";
import type { Explain, PendingService } from "./pending.ts";

/** Of the time, how much goes into reading the cluster at most: one part in so many. */
const share = 10;

/**
 * Asks a cluster which of its Services are not served, and why. Every answer reads all of the cluster, so pages that ask
 * share one reading, and the next begins when the last is nine times as old as it took: a large cluster is told of less
 * often, a small one whenever somebody asks.
 */
export function explainCluster(
	client: Pick<KubeClient, "list" | "get">,
	options: {
		clock: Clock;
		/** Of the controller's Lease. */
		namespace: string;
		/** Where the controller is known to run, and holds no Lease. */
		controller?: ControllerPresence;
	},
): Explain {
	const { clock } = options;
	const read = async () => {
		const snapshot = await readCluster(client, options);
		const { controller = snapshot.controller } = options;
		const facts = new ClusterFacts({ ...snapshot, controller });
		return facts.services
			.map((service) => explainService(service, facts))
			.filter(isWaiting)
			.map(pendingOf);
	};
	let answer: Promise<PendingService[]> | undefined;
	let until = Number.POSITIVE_INFINITY;
	return () => {
		if (answer && clock.monotonic() < until) return answer;
		const began = clock.monotonic();
		until = Number.POSITIVE_INFINITY;
		answer = read();
		answer.then(
			() => {
				const now = clock.monotonic();
				until = now + (share - 1) * (now - began);
			},
			// Whoever asked is told why; who asks next has it tried again.
			() => {
				until = clock.monotonic();
			},
		);
		return answer;
	};
}

function pendingOf(told: Explanation): PendingService {
	const [namespace = "", name = ""] = told.service.split("/");
	const { state, reason, step, steps, advice, headline, present } = told;
	return {
		namespace,
		name,
		since: present.since ?? null,
		state,
		reason,
		...(step === undefined ? {} : { step }),
		message: headline.slice(told.service.length + 1),
		steps,
		pools: told.pools.map(({ pool, verdict, why }) => ({ pool, verdict, why })),
		classes: told.classes.map((each) => ({
			class: each.class,
			provider: each.provider,
			verdict: each.verdict,
			why: each.why,
		})),
		advice,
	};
}
