import type { Clock } from "../../clock.ts";
import type { Target } from "../../model/balancer/balancer.ts";
import type { CloudHttp } from "./http.ts";
import { readPages } from "./pages.ts";
import { sharedWork } from "./shared-work.ts";
import { serverIdOf } from "./wanted.ts";
import { answers } from "./wire.ts";

/** Finds nodes among the project's servers. */
export interface Servers {
	/**
	 * Makes sure every node is looked for: those whose providerID names their server need no look at the cloud; a name
	 * that is not found is looked for again, at most once a minute.
	 */
	find(targets: Target[], signal: AbortSignal): Promise<void>;
	/** The cloud has refused a server as a target: one of that name may have been made anew since. */
	doubt(): void;
	/** Id of a node's server, as far as known. */
	serverOf(target: Target): number | undefined;
	close(): void;
}

const refreshMs = 60_000;

export function createServers(http: CloudHttp, clock: Clock): Servers {
	let byName = new Map<string, number>();
	let readAt = Number.NEGATIVE_INFINITY;
	let doubted = false;

	const reading = sharedWork(async (signal) => {
		const servers = await readPages(
			http,
			{ path: "/servers", priority: "update", signal },
			answers.servers,
			(answer) => answer.servers,
		);
		byName = new Map(servers.map((server) => [server.name, server.id]));
		readAt = clock.monotonic();
		doubted = false;
	});

	function serverOf(target: Target): number | undefined {
		return serverIdOf(target.providerId) ?? byName.get(target.node);
	}

	return {
		async find(targets, signal) {
			const unknown = targets.some(
				(each) =>
					serverIdOf(each.providerId) === undefined &&
					(doubted || !byName.has(each.node)),
			);
			if (unknown && clock.monotonic() - readAt >= refreshMs)
				await reading.join(signal);
		},
		doubt() {
			doubted = true;
		},
		serverOf,
		close: () => reading.close(),
	};
}
