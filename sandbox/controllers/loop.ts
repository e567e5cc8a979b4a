import type { KubeObject } from "../../operator/api/meta.ts";
import type { Clock } from "../../operator/clock.ts";
import { EventRecorder } from "../../operator/cluster/events.ts";
import type { Change, Store } from "../../operator/cluster/index.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { type Handler, Workqueue } from "../../operator/cluster/workqueue.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";
import type { Stores } from "../stores.ts";

/** What every controller works with. */
export interface ControllerOptions {
	client: KubeClient;
	stores: Stores;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}

/** Queues a key of the controller's own choosing. */
export type Enqueue = (key: string) => void;

export interface Loop {
	/** Starts nothing more and waits up to five seconds for what runs. */
	stop(): Promise<void>;
}

const drainMs = 5_000;
/** After a conflict the cache is about to hear of the change that caused it. */
const conflictMs = 10;

/**
 * A level-triggered loop: `watch` says what to queue and when (and returns how to stop watching), `sync` brings one key
 * into order. Work begins when every cache is complete.
 */
export function startLoop(
	name: string,
	{ stores, clock, random, log }: ControllerOptions,
	{
		watch,
		sync,
		workers = 8,
	}: {
		watch: (enqueue: Enqueue) => (() => void)[];
		sync: Handler;
		workers?: number;
	},
): Loop {
	const queue = new Workqueue({
		clock,
		random,
		log: log.child({ controller: name }),
		workers,
		// As in kube-controller-manager.
		backoffBaseMs: 5,
		backoffCapMs: 60_000,
	});
	const undo = watch((key) => queue.add(key));
	let stopped = false;
	void stores.synced.then(() => {
		if (!stopped) queue.run(whereOthersWrite(sync));
	});
	return {
		async stop() {
			stopped = true;
			for (const each of undo) each();
			await queue.drain(drainMs);
		},
	};
}

/** A conflict says only that the cache was behind: no failure, and soon settled. */
function whereOthersWrite(sync: Handler): Handler {
	return async (key, signal) => {
		try {
			return await sync(key, signal);
		} catch (error) {
			if (!isFairleadError(error, "KubeConflict")) throw error;
			return { retryAfterMs: conflictMs };
		}
	};
}

/** Tells of the objects that are there as added, and then of every change; returns how to stop. */
export function follow<T extends KubeObject>(
	store: Store<T>,
	listener: (change: Change<T>) => void,
): () => void {
	for (const object of store.values()) listener({ type: "added", object });
	return store.onChange(listener);
}

/** Records events as `name`, the way kube-controller-manager names its controllers. */
export function recorderOf(
	name: string,
	{ client, clock, random, log }: ControllerOptions,
): EventRecorder {
	return new EventRecorder({
		client,
		clock,
		random,
		log,
		controller: name,
		instance: name,
	});
}

/** metav1.Time */
export function timestamp(now: number): string {
	return `${new Date(now).toISOString().slice(0, 19)}Z`;
}
