import type { Service } from "../../api/core.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { type FairleadError, isFairleadError } from "../../errors.ts";
import {
	type Block,
	blocksOf,
	placeholder,
	portsHeld,
	portsToHold,
} from "../../model/nodeports/placeholders.ts";
import { poolOf } from "../../model/nodeports/pools.ts";
import type { PortRange } from "../../model/nodeports/port-range.ts";
import type { Caches } from "../caches.ts";
import { Coalesced } from "./coalesced.ts";
import type { Ledger } from "./ledger.ts";
import { takenPort } from "./taken-port.ts";

export interface PlaceholdersOptions {
	client: KubeClient;
	caches: Caches;
	ledger: Ledger;
	namespace: string;
	/** The API server's NodePorts. */
	range: PortRange;
	/** A pool's ports could, or could no longer, be held. */
	troubleChanged: (pool: string) => void;
}

/** Ports the cache does not know to be taken are met one at a time; more of them than this wait for the next sync. */
const maxRefusals = 16;

/** Holds the free ports of pools outside the static band by Services without pods. */
export class Placeholders {
	readonly #options: PlaceholdersOptions;
	readonly #writes: Coalesced;
	#blocks = new Map<string, Block>();
	readonly #trouble = new Map<string, string>();

	constructor(options: PlaceholdersOptions) {
		this.#options = options;
		this.#writes = new Coalesced((name) => this.#write(name));
		this.readPools();
	}

	/** Pools changed; returns the names of all placeholders that may have to change. */
	readPools(): string[] {
		const { ledger, range, caches, namespace } = this.#options;
		this.#blocks = new Map(
			ledger.pools
				.flatMap((pool) => blocksOf(pool, range))
				.map((block) => [block.name, block]),
		);
		const present = caches.services
			.byIndex("node port placeholder", "yes")
			.filter(({ metadata }) => metadata.namespace === namespace)
			.map(({ metadata }) => metadata.name);
		return [...new Set([...this.#blocks.keys(), ...present])];
	}

	/** Names of the placeholders whose block holds a port. */
	around(port: number): string[] {
		return [...this.#blocks.values()]
			.filter(({ range }) => range.first <= port && port <= range.last)
			.map(({ name }) => name);
	}

	/** Why a pool's ports are not held, a sentence each. */
	trouble(pool: string): string[] {
		return [...this.#blocks.values()].flatMap(({ name, pool: of }) => {
			const trouble = this.#trouble.get(name);
			return of === pool && trouble !== undefined ? [trouble] : [];
		});
	}

	/**
	 * Lets go of ports that a Service is about to take, and resolves when it did. They must be somebody's in the ledger by
	 * then, or they stay held. Until the Service has them, anybody may take them: the API server knows no exchange.
	 */
	async letGo(ports: Iterable<number>): Promise<void> {
		const names = new Set<string>();
		for (const port of ports)
			for (const name of this.around(port))
				if (portsHeld(this.#present(name)).includes(port)) names.add(name);
		await Promise.all([...names].map((name) => this.sync(name)));
	}

	/** Brings one placeholder in line with what is free in its block; asks to be called again for ports it could not get. */
	async sync(name: string): Promise<{ retryAfterMs?: number }> {
		await this.#writes.run(name);
		const block = this.#blocks.get(name);
		if (!block) return {};
		let soonest = Number.POSITIVE_INFINITY;
		for (let port = block.range.first; port <= block.range.last; port++) {
			const ms = this.#options.ledger.suspectedMs(port);
			if (ms > 0 && ms < soonest) soonest = ms;
		}
		return Number.isFinite(soonest) ? { retryAfterMs: soonest } : {};
	}

	#present(name: string): Service | undefined {
		const { caches, namespace, ledger } = this.#options;
		const found = caches.services.get(`${namespace}/${name}`);
		return found && ledger.isPlaceholder(found) ? found : undefined;
	}

	async #write(name: string): Promise<void> {
		for (let refusals = 0; ; refusals++) {
			try {
				await this.#attempt(name);
				this.#say(name, undefined);
				return;
			} catch (error) {
				if (refusals < maxRefusals && (await this.#learn(name, error)))
					continue;
				if (isFairleadError(error)) this.#say(name, this.#whyNot(error));
				throw error;
			}
		}
	}

	/** Nothing of a create can be missing but the namespace, and who runs Fairlead out of a cluster may have none. */
	#whyNot({ code, message }: FairleadError): string {
		return code === "KubeNotFound"
			? `there is no namespace ${this.#options.namespace} to hold these ports in; create it, or name another with --namespace`
			: message;
	}

	/** Whether another attempt knows better than the one that failed. */
	async #learn(name: string, error: unknown): Promise<boolean> {
		const { ledger, client, caches, namespace } = this.#options;
		const port = takenPort(error);
		if (port !== undefined) {
			ledger.suspect(port);
			return true;
		}
		if (!isFairleadError(error, "KubeConflict")) return false;
		caches.services.apply(
			await client.get<Service>(resources.services, { namespace, name }),
		);
		return true;
	}

	async #attempt(name: string): Promise<void> {
		const { client, caches, ledger, namespace } = this.#options;
		const present = this.#present(name);
		const block = this.#blocks.get(name);
		const ports = block ? portsToHold(block, this.#isTaken(block)) : [];
		const pool = block && caches.nodePortPools.get(block.pool);
		const wanted =
			block && pool && placeholder(block, ports, namespace, pool.metadata.uid);
		if (!wanted) {
			if (present) await this.#remove(present);
			return;
		}
		if (present && sameNumbers(portsHeld(present), ports)) return;
		const { uid, resourceVersion } = present?.metadata ?? {};
		const written = present
			? await client.replace<Service>(resources.services, {
					...present,
					...wanted,
					metadata: {
						...wanted.metadata,
						...(uid === undefined ? {} : { uid }),
						...(resourceVersion === undefined ? {} : { resourceVersion }),
					},
					spec: { ...present.spec, ...wanted.spec },
				})
			: await client.create<Service>(resources.services, wanted);
		for (const port of ports) ledger.trust(port);
		caches.services.apply(written);
	}

	/** By a Service, by a record of one that lives, by the pool that comes first, or by somebody unknown. */
	#isTaken(block: Block): (port: number) => boolean {
		const { ledger } = this.#options;
		return (port) =>
			ledger.holder(port) !== undefined ||
			ledger.isSuspect(port) ||
			poolOf(port, ledger.pools)?.name !== block.pool;
	}

	async #remove({ metadata }: Service): Promise<void> {
		const { name, namespace = "", uid } = metadata;
		try {
			await this.#options.client.delete(
				resources.services,
				{ namespace, name },
				uid === undefined ? {} : { uid },
			);
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
	}

	#say(name: string, trouble: string | undefined): void {
		if (this.#trouble.get(name) === trouble) return;
		if (trouble === undefined) this.#trouble.delete(name);
		else this.#trouble.set(name, trouble);
		const pool = this.#blocks.get(name)?.pool;
		if (pool !== undefined) this.#options.troubleChanged(pool);
	}
}

function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
	return a.length === b.length && a.every((each, at) => each === b[at]);
}
