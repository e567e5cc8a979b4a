/** What a Service without its ports waits for. */
export interface Waiting {
	pool?: string;
	ports?: readonly number[];
}

/**
 * Services that wait for NodePorts, in the order they began to. A port that is free again is offered to one after another
 * until somebody takes it: a thousand that wait for a full pool are not all woken for one port.
 */
export class WaitingLine {
	readonly #line = new Map<string, { waiting: Waiting; place: number }>();
	/** Ports that a Service was woken for and has not looked at yet. */
	readonly #offers = new Map<string, Map<number, number>>();
	/** Whether who waits like this could use a port. */
	readonly #suits: (waiting: Waiting, port: number) => boolean;
	#places = 0;

	constructor(suits: (waiting: Waiting, port: number) => boolean) {
		this.#suits = suits;
	}

	/** It waits; who did so already keeps its place. */
	enter(key: string, waiting: Waiting): void {
		const place = this.#line.get(key)?.place ?? ++this.#places;
		this.#line.set(key, { waiting, place });
	}

	leave(key: string): void {
		this.#line.delete(key);
	}

	/** Who waits for a port of some pool. */
	forPools(): string[] {
		return [...this.#line]
			.filter(([, { waiting }]) => waiting.pool !== undefined)
			.map(([key]) => key);
	}

	/** A port is free: returns who is to be woken for it. */
	offer(port: number): string | undefined {
		return this.#offer(port, 0);
	}

	/** A Service has looked at what it was woken for: returns who is to be woken for what it left. */
	looked(key: string, isFree: (port: number) => boolean): string[] {
		const offers = this.#offers.get(key) ?? [];
		this.#offers.delete(key);
		return [...offers].flatMap(([port, place]) =>
			isFree(port) ? (this.#offer(port, place) ?? []) : [],
		);
	}

	#offer(port: number, after: number): string | undefined {
		for (const [key, { waiting, place }] of this.#line) {
			if (place <= after || !this.#suits(waiting, port)) continue;
			const offers = this.#offers.get(key) ?? new Map<number, number>();
			this.#offers.set(key, offers.set(port, place));
			return key;
		}
		return undefined;
	}
}
