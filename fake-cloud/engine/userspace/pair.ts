import { Duplex } from "node:stream";

/**
 * Two ends of a connection inside this process that behave as sockets do: what one writes the other reads, at the
 * reader's pace; each direction ends by itself; an end destroyed before both directions are over resets the other, which
 * fails with ECONNRESET. (Node's duplexPair tells the other end of a plain destroy() as if all had been said.)
 */
export function connectionPair(): [Duplex, Duplex] {
	const a = new End();
	const b = new End();
	a.join(b);
	b.join(a);
	return [a, b];
}

class End extends Duplex {
	#other: End | undefined;
	/** Called when this end can take more. */
	#ready: (() => void) | undefined;

	constructor() {
		super({ allowHalfOpen: true });
	}

	join(other: End): void {
		this.#other = other;
	}

	override _read(): void {
		const ready = this.#ready;
		this.#ready = undefined;
		ready?.();
	}

	override _write(
		chunk: Buffer,
		_encoding: BufferEncoding,
		done: () => void,
	): void {
		this.#other?.receive(chunk, done);
	}

	override _final(done: () => void): void {
		this.#other?.push(null);
		done();
	}

	override _destroy(
		error: Error | null,
		done: (error?: Error | null) => void,
	): void {
		const other = this.#other;
		if (
			other &&
			!other.destroyed &&
			!(this.readableEnded && this.writableFinished)
		)
			// Not at once: the caller may be in the middle of writing to it.
			process.nextTick(() =>
				other.destroy(
					Object.assign(new Error("connection reset"), { code: "ECONNRESET" }),
				),
			);
		done(error);
	}

	receive(chunk: Buffer, done: () => void): void {
		if (this.destroyed || this.push(chunk)) done();
		else this.#ready = done;
	}
}
