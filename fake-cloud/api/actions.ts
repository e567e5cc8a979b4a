import type { Cancel, Clock } from "../../operator/clock.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";
import type { ActionRecord, Effect } from "../store/records.ts";
import type { Change, Store, Transaction } from "../store/store.ts";
import { ApiError } from "./api-error.ts";
import { applyEffect, undoCreate } from "./effects.ts";

export interface ActionsOptions {
	store: Store;
	clock: Clock;
	log: Log;
	/** Milliseconds from the answer to the effect. */
	duration: number;
}

export interface NewAction {
	project: string;
	command: string;
	/** The first is locked until the action ends. */
	resources: ActionRecord["resources"];
	effect: Effect;
	/** Id of the fault that keeps it from ending. */
	heldBy?: string | null;
	/** A fault lets it fail. */
	doomed?: ActionRecord["doomed"];
}

/** How long an action waits whose end could not be written. */
const endAgainMs = 1000;

/**
 * Work that goes on after the answer. An action is stored with what it will do and when; when its time has come, the
 * effect and the end are written in one transaction. After a restart the ones that were running go on.
 */
export class Actions {
	readonly #store: Store;
	readonly #clock: Clock;
	readonly #log: Log;
	readonly #duration: number;
	readonly #timers = new Map<number, Cancel>();
	readonly #unsubscribe: () => void;

	constructor({ store, clock, log, duration }: ActionsOptions) {
		this.#store = store;
		this.#clock = clock;
		this.#log = log;
		this.#duration = duration;
		this.#unsubscribe = store.subscribe((change) => this.#schedule(change));
	}

	/** Goes on with the actions that were running when the process ended; what a fault held is let go. */
	resume(): void {
		this.release();
		for (const action of this.#store.runningActions()) this.#wait(action);
	}

	/**
	 * Stores a running action.
	 *
	 * @throws ApiError locked while another action runs on the same resource
	 */
	start(tx: Transaction, action: NewAction): ActionRecord {
		const { heldBy = null, doomed = null, ...rest } = action;
		if (rest.resources[0]) this.requireUnlocked(tx, rest.resources[0]);
		const record: ActionRecord = {
			...rest,
			id: tx.nextId(),
			status: "running",
			started: tx.now,
			finish: heldBy === null ? tx.now + this.#duration : null,
			heldBy,
			error: null,
			doomed,
		};
		tx.putAction(record);
		return record;
	}

	/** @throws ApiError locked while an action runs on the resource */
	requireUnlocked(
		tx: Transaction,
		{ id, type }: ActionRecord["resources"][number],
	): void {
		const holder = tx.lockedBy(id);
		if (holder !== undefined)
			throw new ApiError(
				"locked",
				`${type} ${id} is locked, action ${holder} is running on it`,
			);
	}

	/** Lets the actions go on that a fault held, but for those of `holders`. */
	release(holders: ReadonlySet<string> = new Set()): void {
		const held = this.#store
			.runningActions()
			.filter(
				({ finish, heldBy }) => finish === null && !holders.has(heldBy ?? ""),
			);
		if (held.length === 0) return;
		this.#store.transaction((tx) => {
			for (const action of held)
				tx.putAction({
					...action,
					heldBy: null,
					finish: tx.now + this.#duration,
				});
		});
	}

	close(): void {
		this.#unsubscribe();
		for (const cancel of this.#timers.values()) cancel();
		this.#timers.clear();
	}

	#schedule({ actions }: Change): void {
		for (const { after } of actions)
			if (after.status === "running") this.#wait(after);
	}

	#wait({ id, finish }: ActionRecord): void {
		if (finish !== null)
			this.#waitFor(id, Math.max(0, finish - this.#clock.now()));
	}

	#waitFor(id: number, ms: number): void {
		this.#timers.get(id)?.();
		this.#timers.set(
			id,
			this.#clock.after(ms, () => this.#finish(id)),
		);
	}

	#finish(id: number): void {
		this.#timers.delete(id);
		const action = this.#store.action(id);
		if (action?.status !== "running") return;
		try {
			this.#end(action, action.doomed);
		} catch (error) {
			// Whatever it is, the action is still running in the store; it ends once it can be written.
			if (!isFairleadError(error, "StoreFull"))
				this.#log.error(
					{ err: error, action: id, command: action.command },
					"an action could not be ended; it is tried again",
				);
			this.#waitFor(id, endAgainMs);
		}
	}

	/** Writes the end: with `failure` if there is one, or one the effect runs into; else with the effect. */
	#end(action: ActionRecord, failure: ActionRecord["doomed"]): void {
		try {
			this.#store.transaction((tx) => {
				if (failure && action.effect.do === "create") undoCreate(tx, action);
				if (!failure) applyEffect(tx, action);
				tx.putAction({
					...action,
					status: failure ? "error" : "success",
					finish: tx.now,
					error: failure,
				});
			});
		} catch (error) {
			if (!(error instanceof ApiError)) throw error;
			this.#end(action, { code: error.code, message: error.message });
		}
	}
}
