import type { Clock } from "../../operator/clock.ts";
import { AddressPool } from "./address-pool.ts";
import type { AddressRange } from "./address-range.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import type {
	ActionRecord,
	PublicAddress,
	Resource,
	ResourceKind,
	ResourceOf,
} from "./records.ts";

export interface StoreOptions extends DatabaseOptions {
	clock: Clock;
	/** Where addresses come from, by a name the caller chooses. */
	ranges: Record<string, AddressRange>;
}

/** What one committed transaction changed; `after` is absent for what is gone, `before` for what is new. */
export interface Change {
	resources: { before?: Resource; after?: Resource }[];
	actions: { before?: ActionRecord; after: ActionRecord }[];
}

/** Actions that ended are forgotten, oldest first, beyond this many. */
const actionsKept = 20_000;

/**
 * Everything the cloud knows. All of it is in memory for reading and in SQLite for keeping; memory changes only after
 * the commit. Records are never changed in place: a transaction puts new ones.
 */
export class Store {
	readonly #database: Database;
	readonly #clock: Clock;
	readonly #pools: Record<string, AddressPool>;
	readonly #resources = new Map<number, Resource>();
	readonly #names = new Map<string, number>();
	/** In the order of their ids. */
	readonly #actions = new Map<number, ActionRecord>();
	readonly #running = new Set<number>();
	readonly #locks = new Map<number, number>();
	/** By owner. */
	readonly #addresses = new Map<number, Allocation[]>();
	readonly #listeners = new Set<(change: Change) => void>();
	readonly #sql;

	/** @throws FairleadError StoreUnusable */
	constructor(options: StoreOptions) {
		this.#clock = options.clock;
		this.#database = new Database(options);
		this.#pools = Object.fromEntries(
			Object.entries(options.ranges).map(([name, range]) => [
				name,
				new AddressPool(range),
			]),
		);
		const { sqlite } = this.#database;
		this.#sql = {
			nextId: sqlite.prepare(
				"UPDATE sequence SET value = value + 1 WHERE name = 'id' RETURNING value",
			),
			putResource: sqlite.prepare(
				`INSERT INTO resource (id, project, kind, name, body) VALUES (?, ?, ?, ?, ?)
				 ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body`,
			),
			removeResource: sqlite.prepare("DELETE FROM resource WHERE id = ?"),
			putAction: sqlite.prepare(
				"INSERT OR REPLACE INTO action (id, body) VALUES (?, ?)",
			),
			removeAction: sqlite.prepare("DELETE FROM action WHERE id = ?"),
			putAddress: sqlite.prepare(
				"INSERT INTO address (pool, address, id, owner) VALUES (?, ?, ?, ?)",
			),
			removeAddresses: sqlite.prepare("DELETE FROM address WHERE owner = ?"),
		};
		this.#load();
	}

	now(): number {
		return this.#clock.now();
	}

	get<K extends ResourceKind>(kind: K, id: number): ResourceOf<K> | undefined {
		const found = this.#resources.get(id);
		return found?.kind === kind ? (found as ResourceOf<K>) : undefined;
	}

	byName<K extends ResourceKind>(
		kind: K,
		project: string,
		name: string,
	): ResourceOf<K> | undefined {
		const id = this.#names.get(nameKey(project, kind, name));
		return id === undefined ? undefined : this.get(kind, id);
	}

	/** By id. */
	all<K extends ResourceKind>(kind: K, project?: string): ResourceOf<K>[] {
		const found: ResourceOf<K>[] = [];
		for (const resource of this.#resources.values())
			if (
				resource.kind === kind &&
				(project === undefined || resource.project === project)
			)
				found.push(resource as ResourceOf<K>);
		return found;
	}

	action(id: number): ActionRecord | undefined {
		return this.#actions.get(id);
	}

	/** By id. */
	actions(): ActionRecord[] {
		return [...this.#actions.values()];
	}

	runningActions(): ActionRecord[] {
		return [...this.#running].map(
			(id) => this.#actions.get(id) as ActionRecord,
		);
	}

	/** The running action that keeps others off a resource. */
	lockedBy(resource: number): number | undefined {
		return this.#locks.get(resource);
	}

	/** Calls `listener` after every commit that changed something, before `transaction` returns. */
	subscribe(listener: (change: Change) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/**
	 * Runs `work`, which reads and writes through its argument; what it wrote is on disk when this returns, or, if
	 * anything throws, nothing of it happened.
	 *
	 * @throws FairleadError StoreFull; whatever `work` throws
	 */
	transaction<T>(work: (tx: Transaction) => T): T {
		const staged: Staged = {
			resources: new Map(),
			actions: new Map(),
			taken: [],
			forgotten: [],
		};
		let result: T;
		try {
			result = this.#database.transaction(() => {
				const result = work(this.#transaction(staged));
				this.#forgetActions(staged);
				return result;
			});
		} catch (error) {
			for (const { pool, address } of staged.taken)
				this.#pools[pool]?.release(address);
			throw error;
		}
		const change = this.#apply(staged);
		if (change.resources.length > 0 || change.actions.length > 0)
			for (const listener of this.#listeners) listener(change);
		return result;
	}

	close(): void {
		this.#database.close();
	}

	#transaction(staged: Staged): Transaction {
		const nextId = () =>
			Number((this.#sql.nextId.get() as { value: number }).value);
		const get = <K extends ResourceKind>(kind: K, id: number) => {
			if (!staged.resources.has(id)) return this.get(kind, id);
			const found = staged.resources.get(id);
			return found?.kind === kind ? (found as ResourceOf<K>) : undefined;
		};
		return {
			now: this.#clock.now(),
			nextId,
			get,
			all: (kind, project) => {
				const kept = this.all(kind, project).filter(
					({ id }) => !staged.resources.has(id),
				);
				for (const resource of staged.resources.values())
					if (
						resource?.kind === kind &&
						(project === undefined || resource.project === project)
					)
						kept.push(resource as (typeof kept)[number]);
				return kept.sort((a, b) => a.id - b.id);
			},
			byName: (kind, project, name) => {
				for (const resource of staged.resources.values())
					if (
						resource?.kind === kind &&
						resource.project === project &&
						resource.name === name
					)
						return resource as ResourceOf<typeof kind>;
				const found = this.byName(kind, project, name);
				return found && !staged.resources.has(found.id) ? found : undefined;
			},
			put: (resource) => {
				this.#sql.putResource.run(
					resource.id,
					resource.project,
					resource.kind,
					resource.name,
					JSON.stringify(resource),
				);
				staged.resources.set(resource.id, resource);
			},
			remove: (id) => {
				this.#sql.removeResource.run(id);
				this.#sql.removeAddresses.run(id);
				staged.resources.set(id, undefined);
			},
			putAction: (action) => {
				this.#sql.putAction.run(action.id, JSON.stringify(action));
				staged.actions.set(action.id, action);
			},
			lockedBy: (resource) => {
				for (const action of staged.actions.values())
					if (
						action.status === "running" &&
						action.resources[0]?.id === resource
					)
						return action.id;
				const holder = this.#locks.get(resource);
				const now =
					holder === undefined ? undefined : staged.actions.get(holder);
				return now && now.status !== "running" ? undefined : holder;
			},
			allocate: (pool, owner) => {
				const address = this.#pools[pool]?.lowestFree();
				if (address === undefined) return undefined;
				const id = nextId();
				this.#sql.putAddress.run(pool, address, id, owner);
				// Taken at once, so that the next allocation of this transaction gets another; given back if it fails.
				this.#pools[pool]?.take(address);
				staged.taken.push({ pool, address, owner });
				return { id, address, dnsPtr: null };
			},
		};
	}

	#apply(staged: Staged): Change {
		const change: Change = { resources: [], actions: [] };
		for (const id of staged.resources.keys()) {
			const before = this.#resources.get(id);
			if (before)
				this.#names.delete(nameKey(before.project, before.kind, before.name));
		}
		for (const [id, after] of staged.resources) {
			const before = this.#resources.get(id);
			if (after) {
				this.#resources.set(id, after);
				this.#names.set(nameKey(after.project, after.kind, after.name), id);
			} else {
				this.#resources.delete(id);
				this.#release(id);
			}
			if (before ?? after)
				change.resources.push({
					...(before && { before }),
					...(after && { after }),
				});
		}
		for (const allocation of staged.taken) this.#own(allocation);
		for (const id of staged.forgotten) this.#actions.delete(id);
		for (const [id, after] of staged.actions) {
			const before = this.#actions.get(id);
			this.#keepAction(after);
			change.actions.push({ ...(before && { before }), after });
		}
		return change;
	}

	#own(allocation: Allocation): void {
		const owned = this.#addresses.get(allocation.owner);
		if (owned) owned.push(allocation);
		else this.#addresses.set(allocation.owner, [allocation]);
	}

	#release(owner: number): void {
		for (const { pool, address } of this.#addresses.get(owner) ?? [])
			this.#pools[pool]?.release(address);
		this.#addresses.delete(owner);
	}

	#keepAction(action: ActionRecord): void {
		this.#actions.set(action.id, action);
		const running = action.status === "running";
		if (running) this.#running.add(action.id);
		else this.#running.delete(action.id);
		const locked = action.resources[0]?.id;
		if (locked === undefined) return;
		if (running) this.#locks.set(locked, action.id);
		else if (this.#locks.get(locked) === action.id) this.#locks.delete(locked);
	}

	#forgetActions(staged: Staged): void {
		let excess = this.#actions.size + staged.actions.size - actionsKept;
		for (const action of this.#actions.values()) {
			if (excess-- <= 0) return;
			if (action.status === "running" || staged.actions.has(action.id))
				continue;
			this.#sql.removeAction.run(action.id);
			staged.forgotten.push(action.id);
		}
	}

	#load(): void {
		const { sqlite } = this.#database;
		const bodies = (table: string) =>
			(
				sqlite.prepare(`SELECT body FROM ${table} ORDER BY id`).all() as {
					body: string;
				}[]
			).map(({ body }) => JSON.parse(body) as unknown);
		for (const resource of bodies("resource") as Resource[]) {
			this.#resources.set(resource.id, resource);
			this.#names.set(
				nameKey(resource.project, resource.kind, resource.name),
				resource.id,
			);
		}
		for (const action of bodies("action") as ActionRecord[])
			this.#keepAction(action);
		for (const allocation of sqlite
			.prepare("SELECT pool, address, owner FROM address")
			.all() as unknown as Allocation[]) {
			this.#pools[allocation.pool]?.take(allocation.address);
			this.#own(allocation);
		}
	}
}

/** What a transaction may do; it sees its own writes. */
export interface Transaction {
	/** Milliseconds since the epoch. */
	readonly now: number;
	/** Rises, and is never given twice, not even for what was deleted. */
	nextId(): number;
	get<K extends ResourceKind>(kind: K, id: number): ResourceOf<K> | undefined;
	byName<K extends ResourceKind>(
		kind: K,
		project: string,
		name: string,
	): ResourceOf<K> | undefined;
	/** By id. */
	all<K extends ResourceKind>(kind: K, project?: string): ResourceOf<K>[];
	put(resource: Resource): void;
	/** Removes a resource and releases its addresses. */
	remove(id: number): void;
	putAction(action: ActionRecord): void;
	lockedBy(resource: number): number | undefined;
	/** The lowest free address of a range, kept until its owner is removed; undefined when there is none. */
	allocate(pool: string, owner: number): PublicAddress | undefined;
}

interface Allocation {
	pool: string;
	address: string;
	owner: number;
}

/** What a transaction under way has written. */
interface Staged {
	resources: Map<number, Resource | undefined>;
	actions: Map<number, ActionRecord>;
	taken: Allocation[];
	forgotten: number[];
}

function nameKey(project: string, kind: ResourceKind, name: string): string {
	return `${kind} ${JSON.stringify(project)} ${name}`;
}
