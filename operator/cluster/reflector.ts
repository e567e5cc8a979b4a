import type { KubeObject } from "../api/meta.ts";
import { type Cancel, type Clock, sleep } from "../clock.ts";
import { FairleadError, isFairleadError } from "../errors.ts";
import type { Log } from "../log.ts";
import { errorOfStatus } from "./answers.ts";
import { backoffMs } from "./backoff.ts";
import type { Store } from "./index.ts";
import { endsInitialEvents, InitialEvents } from "./initial-events.ts";
import type { KubeClient, Resource, Status, WatchEvent } from "./kube.ts";
import { listAll } from "./list-all.ts";
import { compareVersions } from "../model/resource-version.ts";
import { reflectorDefaults } from "./reflector-defaults.ts";
import { type Health, ReflectorHealth, toGrant } from "./reflector-health.ts";
import { Watchdog } from "./watchdog.ts";

export interface ReflectorOptions<T extends KubeObject> {
	client: Pick<KubeClient, "list" | "watch">;
	resource: Resource;
	namespace?: string;
	labelSelector?: string;
	fieldSelector?: string;
	store: Store<T>;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
	/** True: while the server does not know the kind there are simply no objects of it. */
	optional?: boolean;
	/** True: who waits can do without it where the server forbids to read it. */
	dispensable?: boolean;
	/**
	 * True: while the server fills its watch cache of the kind, and so lets nobody watch it, its objects are listed. That is read
	 * from etcd: for the few that everybody waits for, not for every node.
	 */
	eager?: boolean;
	tuning?: Partial<typeof reflectorDefaults>;
}

const anew = new Error("all is read anew");
/**
 * Keeps a Store true to one resource of the API server, and never gives up. Starts with WatchList (KEP-3157), or with a
 * paged list and a watch where the server does not know that. The rules for 410 and for bookmarks are those of
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
 */
export class Reflector<T extends KubeObject> {
	/** Resolves when the store is first complete; stays pending if the reflector is stopped before. */
	readonly synced: Promise<void>;
	/** Resolves with `synced`, or when the server first forbids to read a kind that is dispensable. */
	readonly answered: Promise<void>;
	isAnswered = false;
	/** Whether the server does not know the kind, which is optional then. */
	absent = false;
	#options: ReflectorOptions<T>;
	#tuning: typeof reflectorDefaults;
	#store: Store<T>;
	#clock: Clock;
	#log: Log;
	#subject: string;
	#scope: {
		namespace?: string;
		labelSelector?: string;
		fieldSelector?: string;
	};
	#stopping = new AbortController();
	#connection: AbortController | undefined;
	#running: Promise<void> | undefined;
	#watchList = true;
	/** The store must be read anew from the server. */
	#stale = true;
	/** The server may have come back with another history. */
	#suspicious = false;
	#asked = 0; // Calls of `refresh`; below, who waits for what they bring, and first for `answered`.
	#awaiting: (() => void)[] = [];
	#failures = 0;
	/** Failures in a row to read the whole, of a server that does answer. */
	#failedViews = 0;
	#silences = 0;
	#isSynced = false;
	#resolveSynced: () => void = () => {};
	readonly #health: ReflectorHealth;

	constructor(options: ReflectorOptions<T>) {
		this.#options = options;
		this.#tuning = { ...reflectorDefaults, ...options.tuning };
		this.#store = options.store;
		this.#clock = options.clock;
		const { namespace, labelSelector, fieldSelector, resource } = options;
		this.#subject = resource.plural;
		this.#log = options.log.child({ resource: resource.plural });
		this.#scope = {
			...(namespace === undefined ? {} : { namespace }),
			...(labelSelector === undefined ? {} : { labelSelector }),
			...(fieldSelector === undefined ? {} : { fieldSelector }),
		};
		this.#health = new ReflectorHealth({
			subject: this.#subject,
			graceMs: this.#tuning.graceMs,
			clock: this.#clock,
			log: this.#log,
		});
		this.synced = new Promise((resolve) => {
			this.#resolveSynced = resolve;
		});
		this.answered = new Promise((resolve) => {
			this.#awaiting.push(resolve);
		});
	}

	start(): void {
		this.#running ??= this.#run();
	}

	/** Resolves when nothing of it runs any more; the store stays as it is. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		this.#connection?.abort();
		await this.#running;
	}

	/** Why what somebody waits for, be it `answered` or what `refresh` brings, has not come; undefined when nobody does. */
	get awaited(): string | undefined {
		return this.#awaiting.length > 0 ? this.#health.trouble : undefined;
	}

	/** Reads all anew, at once: resolves once the store holds all that was so then, or a dispensable kind may not be read. */
	refresh(): Promise<void> {
		this.#asked++;
		this.#stale = true;
		this.#connection?.abort(anew);
		this.#health.awaited();
		return new Promise((resolve) => this.#awaiting.push(resolve));
	}

	healthy(): Health {
		return this.#health.now(this.#isSynced);
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		while (!signal.aborted) {
			try {
				await this.#follow();
			} catch (error) {
				if (signal.aborted) return;
				this.#connection = new AbortController();
				const cut = this.#connection.signal;
				// Only stop and refresh reject the pause, and the loop's head sees that.
				await sleep(this.#clock, this.#failed(error), cut).catch(() => {});
			}
		}
	}

	/** Brings the store up to date and follows one connection to its end; throws what makes a pause necessary. */
	async #follow(): Promise<void> {
		if (this.#suspicious && !this.#stale) await this.#probe();
		if (!this.#stale) return this.#watch(this.#store.resourceVersion);
		// Where WatchList keeps failing, or nothing answered it, the older way gets its chance.
		const failing =
			this.#failedViews >= this.#tuning.relistAfter || this.#silences > 0;
		if (this.#watchList && !failing) {
			const filling = await this.#watch(undefined).then(
				() => false,
				(error: unknown) => this.#mayList(error),
			);
			if (!filling) return;
		}
		await this.#list();
		if (!this.#stale) await this.#watch(this.#store.resourceVersion);
	}

	/** Whether the server only lacks its watch cache yet (KEP-4568 knows it by its words alone); throws any other error. */
	#mayList(error: unknown): boolean {
		const filling =
			isFairleadError(error, "KubeTooManyRequests") &&
			error.message.includes("storage is (re)initializing");
		if (this.#options.eager && filling) return true;
		throw error;
	}

	/** A watch from a version the server has yet to reach is answered with silence; a list shows where the server is. */
	async #probe(): Promise<void> {
		const { resource, client } = this.#options;
		const newestBefore = this.#store.newest;
		const page = await client.list<T>(
			resource,
			{ ...this.#scope, limit: 1 },
			{ signal: this.#stopping.signal },
		);
		this.#suspicious = false;
		const { resourceVersion } = page.metadata;
		if (compareVersions(resourceVersion, newestBefore) < 0)
			throw this.#otherHistory(resourceVersion);
	}

	async #list(): Promise<void> {
		const { client, resource } = this.#options;
		const newestBefore = this.#store.newest;
		const asked = this.#asked;
		const { objects, resourceVersion } = await listAll<T>(
			client,
			resource,
			this.#scope,
			{
				pageSize: this.#tuning.pageSize,
				trim: this.#store.trim,
				signal: this.#stopping.signal,
			},
		);
		this.#replace(objects, resourceVersion, newestBefore, asked);
	}

	#replace(
		objects: Iterable<T>,
		resourceVersion: string,
		newestBefore: string | undefined,
		asked = this.#asked,
	): void {
		this.#store.replace(objects, resourceVersion, newestBefore);
		this.#stale = asked !== this.#asked;
		if (!this.#stale) this.#answered();
		this.absent = false;
		this.#suspicious = false;
		this.#failedViews = 0;
		if (this.#isSynced) return;
		this.#isSynced = true;
		this.#settled();
		this.#resolveSynced();
	}

	/** Nobody waits for more than what is known now. */
	#answered(): void {
		this.isAnswered = true;
		this.#health.answered();
		for (const done of this.#awaiting.splice(0)) done();
	}

	/** Follows one watch to its end: from a version, or from nothing by WatchList. */
	async #watch(from: string | undefined): Promise<void> {
		const { clock, client, resource, random } = this.#options;
		const { signal: stopping } = this.#stopping;
		if (stopping.aborted) return;
		const tuning = this.#tuning;
		const connection = new AbortController();
		this.#connection = connection;
		let silent = false;
		const dog = new Watchdog(clock, tuning.openMs, () => {
			silent = true;
			connection.abort();
		});
		let cancelSettled: Cancel = () => {};
		const follows = () => {
			dog.allow(tuning.silenceMs);
			cancelSettled = clock.after(tuning.settledMs, () => this.#settled());
		};
		const newestBefore = this.#store.newest;
		const initial = new InitialEvents<T>(this.#store.trim);
		let start = from;
		let opened = false;
		const began = clock.monotonic();
		try {
			const batches = await client.watch<T>(
				resource,
				{
					...this.#scope,
					...(from === undefined
						? { sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" }
						: { resourceVersion: from }),
					allowWatchBookmarks: true,
					timeoutSeconds: Math.round((tuning.watchMs * (1 + random())) / 1000),
				},
				{
					signal: connection.signal,
					onBytes: () => dog.heard(),
					// Among the initial events a bookmark says that they are over.
					isKnown: (key, version) =>
						start !== undefined &&
						this.#store.get(key)?.metadata.resourceVersion === version,
				},
			);
			opened = true;
			if (start === undefined) dog.allow(tuning.initialSilenceMs);
			else follows();
			for await (const batch of batches) {
				if (connection.signal.aborted) break;
				dog.heard();
				for (const event of batch) {
					if (event.type === "ERROR") throw this.#errorOf(event.object);
					if (start !== undefined) this.#event(event, start);
					else if (event.type !== "BOOKMARK") initial.take(event);
					else if (endsInitialEvents(event)) {
						start = event.object.metadata.resourceVersion;
						this.#replace(initial.objects, start, newestBefore);
						follows();
					} else {
						// A server that knows WatchList sends no other bookmark before the closing one.
						return this.#withoutWatchList();
					}
				}
			}
		} catch (error) {
			if (start === undefined && isFairleadError(error, "KubeInvalid"))
				return this.#withoutWatchList();
			if (!connection.signal.aborted) throw error;
		} finally {
			dog.stop();
			cancelSettled();
			connection.abort();
		}
		if (stopping.aborted || connection.signal.reason === anew) return;
		if (silent && opened && start === undefined)
			return this.#withoutWatchList();
		if (silent) throw this.#silent(opened);
		if (start === undefined || clock.monotonic() - began < 1000)
			throw new FairleadError(
				"KubeBadAnswer",
				`the watch of ${this.#subject} ended too soon`,
			);
	}

	#event(event: Exclude<WatchEvent<T>, { type: "ERROR" }>, from: string): void {
		const { resourceVersion } = event.object.metadata;
		const behind = compareVersions(resourceVersion, from);
		if (behind < 0 || (behind === 0 && event.type !== "BOOKMARK"))
			throw this.#otherHistory(resourceVersion);
		if (event.type === "BOOKMARK") this.#store.advance(resourceVersion);
		else if (event.type === "DELETED") this.#store.remove(event.object);
		else this.#store.put(event.object);
		this.#silences = 0;
		this.#settled();
	}

	/** The watch works: trouble is over and the next failure is a first one. */
	#settled(): void {
		this.#failures = 0;
		this.#health.well();
		this.#health.say("info", "watching", `watching ${this.#subject}`);
	}

	/** Notes a failure and decides what comes next; returns the milliseconds to wait before it. */
	#failed(error: unknown): number {
		const code = isFairleadError(error) ? error.code : "";
		if (this.#options.optional && code === "KubeNotFound")
			return this.#absent();
		if (this.#options.dispensable && code === "KubeForbidden") this.#answered();
		this.#failures++;
		this.#suspicious = true;
		const retryAfterMs =
			(isFairleadError(error) ? error.retryAfterMs : undefined) ?? 0;
		const answered =
			code !== "KubeUnreachable" && code !== "KubeTooManyRequests";
		if (answered && this.#stale) this.#failedViews++;
		if (
			code === "KubeGone" ||
			this.#silences > 1 ||
			(answered && this.#failures >= this.#tuning.relistAfter)
		)
			this.#stale = true;
		const message = error instanceof Error ? error.message : String(error);
		const said =
			code === "KubeForbidden"
				? toGrant(message, this.#options.resource)
				: message;
		this.#health.failed(said);
		if (code === "KubeGone")
			this.#health.say("info", code, `${said}; reading ${this.#subject} again`);
		else if (code)
			this.#health.say("warn", code, `lost ${this.#subject}: ${said}`);
		else this.#health.say("error", said, `lost ${this.#subject}`, error);
		const { backoffBaseMs: baseMs, backoffCapMs: capMs } = this.#tuning;
		const { random } = this.#options;
		const jittered = backoffMs({ baseMs, capMs }, this.#failures, random);
		return Math.max(retryAfterMs, jittered);
	}

	/** The kind is not installed: nothing is wrong, and there is nothing of it. It is picked up once it is there. */
	#absent(): number {
		this.#replace([], this.#store.newest ?? "0", this.#store.newest);
		this.#stale = true;
		this.absent = true;
		this.#failures = 0;
		this.#health.well();
		this.#health.say(
			"info",
			"absent",
			`without ${this.#subject}: not installed`,
		);
		return this.#tuning.absentMs;
	}

	#withoutWatchList(): void {
		this.#watchList = false;
		this.#log.info(
			`the API server does not know WatchList for ${this.#subject}; listing instead`,
		);
	}

	#errorOf(status: Status): FairleadError {
		const request = `WATCH ${this.#subject}`;
		const gone = status.reason === "Expired" || status.reason === "Gone";
		return errorOfStatus(request, gone ? { ...status, code: 410 } : status);
	}

	#otherHistory(resourceVersion: string | undefined): FairleadError {
		return new FairleadError(
			"KubeGone",
			`the API server went back to resourceVersion ${resourceVersion} from ${this.#store.newest}`,
		);
	}

	#silent(opened: boolean): FairleadError {
		this.#silences++;
		const ms = opened ? this.#tuning.silenceMs : this.#tuning.openMs;
		return new FairleadError(
			"KubeUnreachable",
			`the watch of ${this.#subject} was silent for ${ms / 1000} s`,
		);
	}
}
