import type { Clock } from "../../../operator/clock.ts";
import {
	evaluate,
	sourceKind,
} from "../../../operator/model/rules/evaluate.ts";
import type { Program } from "../../../operator/model/rules/program.ts";
import { RememberedClients } from "./remembered-clients.ts";

/** A new TCP connection. */
export interface Flow {
	source: string;
	destination: string;
	port: number;
}

/** What a node's rules do with it: it goes somewhere else, or on as it is. */
export type Decision =
	| { goesTo: { host: string; port: number } }
	| "rejected"
	| "dropped"
	| "untouched";

/** The decisions of a node's program as it is at that moment, affinity included. */
export function decideBy({
	program,
	nodeAddresses,
	random,
	clock,
}: {
	program: () => Program;
	nodeAddresses: readonly string[];
	/** In [0, 1). */
	random: () => number;
	clock: Clock;
}): (flow: Flow) => Decision {
	const clients = new RememberedClients();
	return ({ source, destination, port }) => {
		const now = clock.monotonic();
		const flow = `${source} ${destination} ${port}`;
		const remembered = clients.get(flow, now);
		const verdict = evaluate(program(), {
			source,
			sourceIs: sourceKind(program(), source, nodeAddresses),
			destination,
			protocol: "TCP",
			port,
			...(remembered && { remembered }),
			pick: random,
		});
		switch (verdict.verdict) {
			case "rejected":
			case "dropped":
				return verdict.verdict;
			case "forwarded": {
				const { to, affinitySeconds } = verdict;
				if (affinitySeconds === undefined) clients.delete(flow);
				else clients.set(flow, to, now + affinitySeconds * 1000, now);
				return { goesTo: { host: to.address, port: to.port } };
			}
			case "answered":
			case "notOurs":
				return "untouched";
		}
	};
}
