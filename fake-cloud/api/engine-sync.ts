import type { Engine, EngineBalancer } from "../engine/engine.ts";
import type { BalancerRecord } from "../store/records.ts";
import type { Change, Store } from "../store/store.ts";
import { balancerTypes, named } from "./catalog.ts";
import { resolveTarget } from "./resolve-targets.ts";

/** Makes the engine carry what the store says, now and after every commit. Returns what ends that. */
export function keepInSync(store: Store, engine: Engine): () => void {
	for (const balancer of store.all("load_balancer"))
		engine.set(engineBalancer(balancer, store));
	return store.subscribe((change) => apply(change, store, engine));
}

/** What the engine needs of a balancer; a place that several targets stand for is there once. */
export function engineBalancer(
	balancer: BalancerRecord,
	store: Store,
): EngineBalancer {
	const targets = new Map<string, EngineBalancer["targets"][number]>();
	for (const target of balancer.targets)
		for (const { key, address, problem } of resolveTarget(
			balancer,
			target,
			store,
		))
			if (!targets.has(key)) targets.set(key, { key, address, problem });
	return {
		id: balancer.id,
		addresses: [
			...(balancer.publicInterface
				? [balancer.ipv4.address, balancer.ipv6.address]
				: []),
			...balancer.privateNet.map(({ ip }) => ip),
		],
		algorithm: balancer.algorithm,
		maxConnections: named(balancerTypes, balancer.type).max_connections,
		services: balancer.services,
		targets: [...targets.values()],
	};
}

function apply({ resources }: Change, store: Store, engine: Engine): void {
	const changed = new Map<number, BalancerRecord>();
	for (const { before, after } of resources) {
		const one = after ?? before;
		if (one?.kind === "load_balancer") {
			if (after?.kind === "load_balancer") changed.set(one.id, after);
			else engine.remove(one.id);
		}
		if (one?.kind === "server")
			for (const balancer of concerned(store, one.project, one.id))
				changed.set(balancer.id, balancer);
	}
	for (const balancer of changed.values())
		engine.set(engineBalancer(balancer, store));
}

function concerned(
	store: Store,
	project: string,
	server: number,
): BalancerRecord[] {
	return store
		.all("load_balancer", project)
		.filter(({ targets }) =>
			targets.some(
				(target) =>
					target.type === "label_selector" ||
					(target.type === "server" && target.server.id === server),
			),
		);
}
