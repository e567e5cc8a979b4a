import { type KubeObject, objectKey } from "../api/meta.ts";
import { type Clock, sleep } from "../clock.ts";
import { isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import { backoffMs } from "./backoff.ts";
import {
	type Event,
	type EventFacts,
	eventObject,
	type EventSeries,
	type Reporter,
} from "./event-object.ts";
import { type KubeClient, type Resource, resources } from "./kube.ts";
import type { Fence } from "./lease.ts";
import { TokenBucket } from "./token-bucket.ts";

export const eventDefaults = {
	/** Events waiting to be sent; the oldest goes when one more comes. */
	queue: 1_000,
	/** Per recorder. */
	perSecond: 20,
	burst: 100,
	/** Per object: client-go's spam filter (tools/record/events_cache.go). */
	objectPerSecond: 1 / 300,
	objectBurst: 25,
	/** Objects whose last event is remembered. */
	objects: 20_000,
	/** Kinds of event remembered per object, to count recurrences in a series. */
	kinds: 8,
	attempts: 5,
};

export interface EventRecorderOptions {
	client: Pick<KubeClient, "create" | "patch">;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	/** Which process this is: the host or Pod name. */
	instance: string;
	controller?: string;
	tuning?: Partial<typeof eventDefaults>;
}

const backoff = { baseMs: 500, capMs: 30_000 };

/** Errors that say nothing about the event itself. */
const passing = [
	"KubeUnreachable",
	"KubeUnauthorized",
	"KubeTooManyRequests",
	"KubeServerError",
	"KubeBadAnswer",
] as const;

/** What is remembered of an object. */
interface Memory {
	/** The last event said about it. */
	last: string | undefined;
	bucket: TokenBucket;
	/** Events the server has, by what they say; absent while it has none. */
	said?: Map<string, Said>;
}

interface Said {
	namespace: string;
	name: string;
	count: number;
}

interface Item {
	memory: Memory;
	key: string;
	event: Event;
	fence: Fence;
}

const unfenced: Fence = () => {};

/**
 * Records events without ever holding up or failing who reports: `record` only queues. An event is sent when it differs
 * from the last one about the same object; one that was there before, with others in between, raises the count of
 * that Event's series. What exceeds rate or queue is dropped and counted.
 */
export class EventRecorder {
	readonly #options: EventRecorderOptions;
	readonly #tuning: typeof eventDefaults;
	readonly #reporter: Reporter;
	readonly #memories = new Map<string, Memory>();
	readonly #bucket: TokenBucket;
	readonly #queue: Item[] = [];
	#sending: Promise<void> | undefined;
	/** Aborted: send without waiting for anything. */
	#hurry = new AbortController();
	/** Aborted: stop sending. */
	#cut = new AbortController();
	#dropped = 0;
	#complained = "";

	constructor(options: EventRecorderOptions) {
		this.#options = options;
		this.#tuning = { ...eventDefaults, ...options.tuning };
		this.#reporter = {
			controller: options.controller ?? "fairlead.dev/controller",
			instance: options.instance,
		};
		const { perSecond, burst } = this.#tuning;
		this.#bucket = new TokenBucket(perSecond, burst, options.clock.monotonic());
	}

	/** Events that were not sent: too many, too fast, or refused. */
	get dropped(): number {
		return this.#dropped;
	}

	/**
	 * Queues an event about `object` (as read from the API server), unless it says what the last one said. Once `fence`
	 * throws, it is for somebody else to say and no longer sent.
	 */
	record(
		resource: Resource,
		object: KubeObject,
		facts: EventFacts,
		fence = unfenced,
	): void {
		const { clock, random } = this.#options;
		const memory = this.#recall(object);
		const { type, reason, action, note } = facts;
		const key = JSON.stringify([type, reason, action, note]);
		if (memory.last === key) return;
		if (memory.bucket.take(clock.monotonic()) > 0) {
			this.#dropped++;
			return;
		}
		const now = clock.now();
		const noise = Math.floor(random() * 2 ** 32);
		const suffix = now.toString(16) + noise.toString(16).padStart(8, "0");
		const event = eventObject(
			resource,
			object,
			facts,
			this.#reporter,
			now,
			suffix,
		);
		memory.last = key;
		this.#queue.push({ memory, key, event, fence });
		if (this.#queue.length > this.#tuning.queue)
			this.#drop(this.#queue.shift());
		this.#sending ??= this.#run();
	}

	/**
	 * Sends what is queued as fast as the server takes it, for at most `withinMs`; what is left then is dropped. For
	 * shutdown; the recorder goes on working after it.
	 */
	async flush(withinMs: number): Promise<void> {
		const cut = this.#cut;
		const cancel = this.#options.clock.after(withinMs, () => cut.abort());
		this.#hurry.abort();
		await this.#sending;
		cancel();
		this.#hurry = new AbortController();
		this.#cut = new AbortController();
	}

	/** Never rejects. */
	async #run(): Promise<void> {
		const { clock } = this.#options;
		// Never ends before whoever started it has taken note that it runs.
		await Promise.resolve();
		for (;;) {
			if (this.#cut.signal.aborted)
				for (const item of this.#queue.splice(0)) this.#drop(item);
			// What nobody may say any more takes no room of what is said.
			while (this.#queue[0] && !stands(this.#queue[0]))
				this.#drop(this.#queue.shift());
			if (this.#queue.length === 0) break;
			const wait = this.#hurry.signal.aborted
				? 0
				: this.#bucket.take(clock.monotonic());
			if (wait > 0) {
				await this.#pause(wait);
				continue;
			}
			const item = this.#queue.shift() as Item;
			if (await this.#deliver(item)) this.#complained = "";
			else this.#drop(item);
		}
		this.#sending = undefined;
	}

	/** Tries until it is sent (true), is refused, or has been tried often enough. */
	async #deliver(item: Item): Promise<boolean> {
		for (let attempt = 1; ; attempt++) {
			try {
				await this.#send(item);
				return true;
			} catch (error) {
				if (isFairleadError(error, "NotLeading")) return false;
				const again =
					isFairleadError(error, ...passing) &&
					attempt < this.#tuning.attempts &&
					!this.#hurry.signal.aborted;
				if (!again) {
					this.#complain(error);
					return false;
				}
				await this.#pause(
					error.retryAfterMs ??
						backoffMs(backoff, attempt, this.#options.random),
				);
			}
		}
	}

	async #send({ memory, key, event, fence }: Item): Promise<void> {
		fence();
		const { client } = this.#options;
		const options = { signal: this.#cut.signal };
		const said = memory.said?.get(key);
		if (said) {
			const { namespace, name } = said;
			const series: EventSeries = {
				count: said.count + 1,
				lastObservedTime: event.eventTime,
			};
			try {
				const patch = { type: "merge", body: { series } } as const;
				await client.patch(
					resources.events,
					{ namespace, name },
					patch,
					options,
				);
				said.count = series.count;
				return;
			} catch (error) {
				// Events expire, after an hour as a rule.
				if (!isFairleadError(error, "KubeNotFound")) throw error;
				memory.said?.delete(key);
				fence();
			}
		}
		try {
			await client.create(resources.events, event, options);
		} catch (error) {
			// Of an earlier attempt whose answer was lost.
			if (!isFairleadError(error) || error.reason !== "AlreadyExists")
				throw error;
		}
		const { name, namespace = "" } = event.metadata;
		memory.said ??= new Map();
		memory.said.set(key, { name, namespace, count: 1 });
		trim(memory.said, this.#tuning.kinds);
	}

	#drop(item: Item | undefined): void {
		if (!item) return;
		this.#dropped++;
		// So that saying it again is no repetition.
		if (item.memory.last === item.key) item.memory.last = undefined;
	}

	/** One line for a server that keeps refusing the same way, not one per event. */
	#complain(error: unknown): void {
		const code = isFairleadError(error) ? error.code : "unexpected";
		if (code === this.#complained) return;
		this.#complained = code;
		this.#options.log.warn({ err: error }, "an event could not be recorded");
	}

	#pause(ms: number): Promise<void> {
		// Rejects only to wake up early.
		return sleep(this.#options.clock, ms, this.#hurry.signal).catch(() => {});
	}

	#recall(object: KubeObject): Memory {
		const id = object.metadata.uid ?? objectKey(object);
		const { objectPerSecond, objectBurst, objects } = this.#tuning;
		const memory = this.#memories.get(id) ?? {
			last: undefined,
			bucket: new TokenBucket(
				objectPerSecond,
				objectBurst,
				this.#options.clock.monotonic(),
			),
		};
		this.#memories.delete(id);
		this.#memories.set(id, memory);
		trim(this.#memories, objects);
		return memory;
	}
}

/** Whether whoever recorded it may still say so. */
function stands({ fence }: Item): boolean {
	try {
		fence();
		return true;
	} catch (error) {
		if (isFairleadError(error, "NotLeading")) return false;
		throw error;
	}
}

/** Forgets the entries that were set first. */
function trim(map: Map<string, unknown>, limit: number): void {
	for (const key of map.keys()) {
		if (map.size <= limit) return;
		map.delete(key);
	}
}
