import { createNetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import type {
	Frontend,
	RulesBackend,
} from "../../operator/model/rules/program.ts";
import { median } from "../figures.ts";
import { backend, frontend, programOf } from "./frontends.ts";

/** Medians, in microseconds. */
export interface ApplyTimes {
	/** One endpoint in another's place. */
	replaceUs: number;
	/** A fifth endpoint. */
	addUs: number;
	/** The fifth gone again. */
	removeUs: number;
	/** All of it from nothing, in seconds. */
	fullSeconds: number;
}

/**
 * What one change of one frontend costs among `count` frontends of four endpoints: from a change as the compiler hands it
 * over until it is in the kernel and what it left behind is forgotten. A namespace of its own, nobody else in it.
 */
export function applyTimes(count: number, rounds: number): ApplyTimes {
	const frontends = Array.from({ length: count }, (_, index) =>
		twoPorts(index),
	);
	return withRules(frontends, (rules, fullSeconds) => {
		const times = { replace: [], add: [], remove: [] } as Record<
			"replace" | "add" | "remove",
			number[]
		>;
		const change = (
			index: number,
			endpoints: Frontend["endpoints"],
			into: number[],
		) => {
			const before = frontends[index] as Frontend;
			const after = { ...before, endpoints };
			const began = performance.now();
			rules.apply({ frontends: [{ before, after }], held: [] });
			into.push((performance.now() - began) * 1000);
			frontends[index] = after;
		};
		for (let round = 0; round < rounds; round++) {
			// Spread over all of them: a change is of another frontend than the last.
			const index = (round * 7_919) % count;
			const { endpoints } = frontends[index] as Frontend;
			const other = backend(9, round);
			change(index, [other, ...endpoints.slice(1)], times.replace);
			const now = (frontends[index] as Frontend).endpoints;
			change(index, [...now, backend(8, round)], times.add);
			change(index, now, times.remove);
		}
		return {
			replaceUs: median(times.replace),
			addUs: median(times.add),
			removeUs: median(times.remove),
			fullSeconds,
		};
	});
}

/** The median milliseconds to give one of `count` frontends, which have a source range each, another one. */
export function sourceRangeChangeMs(count: number, rounds: number): number {
	const range = (index: number) =>
		`172.${16 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}/32`;
	const frontends = Array.from({ length: count }, (_, index) =>
		frontend(index, { kind: "LoadBalancer", sourceRanges: [range(index)] }),
	);
	return withRules(frontends, (rules) => {
		const times = Array.from({ length: rounds }, (_, round) => {
			const index = (round * 7_919) % count;
			const before = frontends[index] as Frontend;
			const after = { ...before, sourceRanges: [range(count + round)] };
			frontends[index] = after;
			const began = performance.now();
			rules.apply({ frontends: [{ before, after }], held: [] });
			return performance.now() - began;
		});
		return median(times);
	});
}

/** Two frontends share an address, as the two ports of a Service do. */
function twoPorts(index: number): Frontend {
	const service = index >> 1;
	return index & 1
		? frontend(service, {
				port: 443,
				portName: "https",
				endpoints: frontend(service).endpoints.map(({ address, local }) => ({
					address,
					port: 8443,
					local,
				})),
			})
		: frontend(service);
}

function withRules<T>(
	frontends: readonly Frontend[],
	work: (rules: RulesBackend, fullSeconds: number) => T,
): T {
	const namespace = createNetworkNamespace();
	const rules = new NftablesBackend(namespace);
	try {
		const began = performance.now();
		rules.replace(programOf(frontends));
		return work(rules, (performance.now() - began) / 1000);
	} finally {
		rules.close();
		namespace.close();
	}
}
