import { type KubeObject, objectKey } from "../../operator/api/meta.ts";
import type {
	IsKnown,
	KubeClient,
	WatchEvent,
} from "../../operator/cluster/kube.ts";

type Batch = WatchEvent<KubeObject>[];

/** One watch as a client sees it; a test may mute it, hold its events back, break or end it. */
export class FakeWatch implements AsyncIterable<Batch> {
	/** Only events after this version belong to it. */
	readonly from: number;
	/** Events are lost on the way, the connection stays open. */
	muted = false;
	/** Called once when it is over, for whatever reason. */
	onEnd: () => void = () => {};
	#signal: AbortSignal;
	#onBytes: () => void;
	#isKnown: IsKnown;
	#batches: Batch[] = [];
	#held: Batch | undefined;
	#over: { error?: Error } | undefined;
	#wake: () => void = () => {};

	constructor(from: number, options: Parameters<KubeClient["watch"]>[2]) {
		this.from = from;
		this.#signal = options.signal;
		this.#onBytes = options.onBytes ?? (() => {});
		this.#isKnown = options.isKnown ?? (() => false);
		this.#signal.addEventListener("abort", () => this.#end({}), { once: true });
	}

	push(batch: Batch): void {
		if (this.#held) this.#held.push(...batch);
		else if (!this.muted) {
			this.#onBytes();
			// As JSON makes it: what structuredClone makes under Jest is of another realm, and equal to nothing of ours.
			const copy = JSON.parse(JSON.stringify(batch)) as Batch;
			this.#batches.push(copy.map((event) => this.#read(event)));
			this.#wake();
		}
	}

	/** As the client's decoder does with an event that is known. */
	#read(event: Batch[number]): Batch[number] {
		if (event.type !== "MODIFIED") return event;
		const { resourceVersion = "" } = event.object.metadata;
		return this.#isKnown(objectKey(event.object), resourceVersion)
			? { type: "BOOKMARK", object: { metadata: { resourceVersion } } }
			: event;
	}

	/** Keeps what comes back until `release`. */
	hold(): void {
		this.#held ??= [];
	}

	/** Delivers what was held back, in whatever order and however often `arrange` says. */
	release(arrange: (batch: Batch) => Batch = (batch) => batch): void {
		const held = this.#held;
		this.#held = undefined;
		if (held && held.length > 0) this.push(arrange(held));
	}

	/** The server closes the connection. */
	end(): void {
		this.#end({});
	}

	/** The connection breaks. */
	fail(error: Error): void {
		this.#end({ error });
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
		try {
			for (;;) {
				if (this.#signal.aborted) return;
				const batch = this.#batches.shift();
				if (batch) yield batch;
				else if (this.#over) {
					if (this.#over.error) throw this.#over.error;
					return;
				} else
					await new Promise<void>((resolve) => {
						this.#wake = resolve;
					});
			}
		} finally {
			this.#end({});
		}
	}

	#end(how: { error?: Error }): void {
		if (this.#over) return;
		this.#over = how;
		this.onEnd();
		this.#wake();
	}
}
