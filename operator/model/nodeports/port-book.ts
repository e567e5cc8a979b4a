import type { NodePortAssignment } from "../../api/fairlead.ts";

/**
 * Which NodePorts of which pools are recorded for which Services: what the statuses of the pools say, and what is about
 * to be written there. Ports of two Services never meet, whatever the pools: who is recorded first keeps them.
 */
export class PortBook {
	readonly #pools = new Map<string, Map<string, NodePortAssignment>>();
	readonly #byPort = new Map<number, { pool: string; service: string }>();
	readonly #byService = new Map<string, string>();

	/** Takes what a pool's status says, unless the pool is known already. Records that clash with others are left out. */
	load(pool: string, assigned: readonly NodePortAssignment[]): void {
		if (this.#pools.has(pool)) return;
		this.#pools.set(pool, new Map());
		for (const { service, ports, released } of assigned) {
			if (this.#byService.has(service)) continue;
			const values = Object.values(ports);
			if (values.some((port) => this.#byPort.has(port))) continue;
			this.assign(pool, service, ports);
			if (released !== undefined) this.release(service, released);
		}
	}

	/** The pool is gone, and its records with it. */
	forget(pool: string): void {
		for (const service of [...(this.#pools.get(pool)?.keys() ?? [])])
			this.drop(service);
		this.#pools.delete(pool);
	}

	/** What is recorded in a pool, by Service name: what its status should say. */
	assigned(pool: string): NodePortAssignment[] {
		return [...(this.#pools.get(pool)?.values() ?? [])].sort((a, b) =>
			a.service < b.service ? -1 : 1,
		);
	}

	of(
		service: string,
	): { pool: string; record: NodePortAssignment } | undefined {
		const pool = this.#byService.get(service);
		if (pool === undefined) return undefined;
		const record = this.#pools.get(pool)?.get(service);
		return record && { pool, record };
	}

	/** The Service a port is recorded for; `released` when that is gone. */
	claimant(port: number): NodePortAssignment | undefined {
		const claim = this.#byPort.get(port);
		return claim && this.#pools.get(claim.pool)?.get(claim.service);
	}

	/**
	 * Records ports for a Service that lives, in place of what it had. Ports kept for Services that are gone are taken
	 * from them. Returns the pools whose records changed; none when it all stands there already.
	 */
	assign(
		pool: string,
		service: string,
		ports: Readonly<Record<string, number>>,
	): string[] {
		const had = this.of(service);
		if (
			had?.pool === pool &&
			had.record.released === undefined &&
			samePorts(had.record.ports, ports)
		)
			return [];
		const changed = new Set([pool, ...this.drop(service)]);
		for (const port of Object.values(ports)) {
			const other = this.#byPort.get(port);
			if (!other || other.service === service) continue;
			const record = this.#pools.get(other.pool)?.get(other.service);
			if (record?.released === undefined)
				throw new Error(
					`NodePort ${port} is recorded for ${other.service} and cannot go to ${service}`,
				);
			for (const each of this.#take(other.service, record, port))
				changed.add(each);
		}
		const records =
			this.#pools.get(pool) ?? new Map<string, NodePortAssignment>();
		this.#pools.set(pool, records);
		records.set(service, { service, ports: { ...ports } });
		this.#byService.set(service, pool);
		for (const port of Object.values(ports))
			this.#byPort.set(port, { pool, service });
		return [...changed];
	}

	/** The Service is gone; its ports are kept for one of its name. Returns the pools whose records changed. */
	release(service: string, now: string): string[] {
		const had = this.of(service);
		if (!had || had.record.released !== undefined) return [];
		this.#pools.get(had.pool)?.set(service, { ...had.record, released: now });
		return [had.pool];
	}

	/** The Service has nothing to do with pools any more. Returns the pools whose records changed. */
	drop(service: string): string[] {
		const had = this.of(service);
		if (!had) return [];
		this.#pools.get(had.pool)?.delete(service);
		this.#byService.delete(service);
		for (const port of Object.values(had.record.ports))
			if (this.#byPort.get(port)?.service === service)
				this.#byPort.delete(port);
		return [had.pool];
	}

	/** One port less for a Service that is gone. */
	#take(service: string, record: NodePortAssignment, port: number): string[] {
		const left = Object.fromEntries(
			Object.entries(record.ports).filter(([, each]) => each !== port),
		);
		const [pool = ""] = this.drop(service);
		if (Object.keys(left).length === 0) return [pool];
		this.assign(pool, service, left);
		this.release(service, record.released ?? "");
		return [pool];
	}
}

function samePorts(
	a: Readonly<Record<string, number>>,
	b: Readonly<Record<string, number>>,
): boolean {
	const keys = Object.keys(a);
	return (
		keys.length === Object.keys(b).length &&
		keys.every((key) => a[key] === b[key])
	);
}
