import type { Backend } from "../../../operator/model/rules/program.ts";

/** Below this nothing is thrown away. */
const LEAST = 1024;

/** Which client went to which endpoint, each for a while. Expired ones are dropped whenever twice as many are held as last stayed. */
export class RememberedClients {
	readonly #clients = new Map<string, { to: Backend; until: number }>();
	#sweepAt = LEAST;

	/** How many are held, expired ones included. */
	get size(): number {
		return this.#clients.size;
	}

	/** Where `client` went, unless that is forgotten by `now` (milliseconds, of one monotonic clock). */
	get(client: string, now: number): Backend | undefined {
		const known = this.#clients.get(client);
		return known && known.until > now ? known.to : undefined;
	}

	set(client: string, to: Backend, until: number, now: number): void {
		this.#clients.set(client, { to, until });
		if (this.size < this.#sweepAt) return;
		for (const [each, known] of this.#clients)
			if (known.until <= now) this.#clients.delete(each);
		this.#sweepAt = Math.max(LEAST, 2 * this.size);
	}

	delete(client: string): void {
		this.#clients.delete(client);
	}
}
