/** One line as it was written. */
export interface LogLine {
	/** Wall milliseconds at which it was complete. */
	at: number;
	text: Buffer;
	/** False for the last words of a container that end without a newline, and for a piece of a very long line. */
	newline: boolean;
}

/** Container runtimes cut longer lines into pieces. */
const longestLine = 16 * 1024;

/** What one instance of a container wrote, stdout and stderr as they came; the oldest lines go when it grows too large. */
export class ContainerLog {
	readonly #now: () => number;
	readonly #limitBytes: number;
	readonly #intercept: ((line: string) => boolean) | undefined;
	readonly #rest = { stdout: empty, stderr: empty };
	readonly #listeners = new Set<() => void>();
	#lines: LogLine[] = [];
	#first = 0;
	#bytes = 0;
	#ended = false;

	/**
	 * @param now Wall milliseconds.
	 * @param intercept Sees every line of stdout first; one it takes (true) is not part of the log.
	 */
	constructor(
		now: () => number,
		limitBytes = 1024 * 1024,
		intercept?: (line: string) => boolean,
	) {
		this.#now = now;
		this.#limitBytes = limitBytes;
		this.#intercept = intercept;
	}

	/** Number of the oldest line kept; the first ever written is 0. */
	get first(): number {
		return this.#first;
	}

	/** Number of the line to come. */
	get next(): number {
		return this.#first + this.#lines.length;
	}

	/** Nothing will be added. */
	get ended(): boolean {
		return this.#ended;
	}

	line(number: number): LogLine | undefined {
		return this.#lines[number - this.#first];
	}

	write(stream: "stdout" | "stderr", chunk: Buffer): void {
		let rest = Buffer.concat([this.#rest[stream], chunk]);
		for (;;) {
			const end = rest.indexOf(10);
			const cut = end < 0 || end > longestLine ? longestLine : end;
			if (end < 0 && rest.length < longestLine) break;
			this.#add(stream, rest.subarray(0, cut), cut === end);
			rest = rest.subarray(cut === end ? cut + 1 : cut);
		}
		this.#rest[stream] = Buffer.from(rest);
		this.#tell();
	}

	/** The container's streams have closed. */
	end(): void {
		if (this.#ended) return;
		for (const stream of ["stdout", "stderr"] as const) {
			const rest = this.#rest[stream];
			if (rest.length > 0) this.#add(stream, rest, false);
		}
		this.#ended = true;
		this.#tell();
	}

	/** Calls `listener` when there are new lines and when it ends; returns what takes it off again. */
	onChange(listener: () => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	#add(stream: "stdout" | "stderr", text: Buffer, newline: boolean): void {
		if (stream === "stdout" && this.#intercept?.(text.toString())) return;
		this.#lines.push({ at: this.#now(), text: Buffer.from(text), newline });
		this.#bytes += text.length + 1;
		let gone = 0;
		while (this.#bytes > this.#limitBytes && gone < this.#lines.length - 1)
			this.#bytes -= (this.#lines[gone++] as LogLine).text.length + 1;
		// In large steps: an array that loses its head line by line is copied every time.
		if (gone === 0) return;
		const slack = this.#lines.length >> 3;
		for (; gone < slack; gone++)
			this.#bytes -= (this.#lines[gone] as LogLine).text.length + 1;
		this.#lines = this.#lines.slice(gone);
		this.#first += gone;
	}

	#tell(): void {
		for (const listener of this.#listeners) listener();
	}
}

const empty: Buffer = Buffer.alloc(0);
