/**
 * @import { LiveState } from "../../api/live.ts"
 * @import { Received } from "./state.d.ts"
 */

/**
 * @typedef {object} Connection
 * @property {"connecting" | "live" | "reconnecting"} phase
 * @property {"resumed" | "reread" | null} how How it came back: nothing missed, or all read anew. Null the first time.
 * @property {number} attempt Of reconnecting, from 1; 0 otherwise.
 * @property {string | null} reason Why it is not live.
 */

/**
 * @typedef {object} World What the stream needs of the browser; a test gives its own.
 * @property {() => Promise<LiveState>} read
 * @property {(lastEventId: string) => EventSource} open
 * @property {(ms: number, run: () => void) => void} after
 * @property {() => number} now
 */

/**
 * @typedef {object} Listener
 * @property {(state: LiveState) => void} state All there is; replaces what was known.
 * @property {(events: Received[]) => void} events In order; several that came close together.
 * @property {(connection: Connection) => void} connection
 */

/** @type {Received["name"][]} */
const names = [
	"balancer",
	"balancer-removed",
	"server",
	"server-removed",
	"action",
	"faults",
	"counters",
];

/** Milliseconds that events gather before the page is told. */
const gatherMs = 30;

/** Milliseconds before attempt n; the last one goes on for ever. */
const pauses = [250, 500, 1000, 2000, 5000];

/** Milliseconds after which an open stream counts as working. */
const steadyMs = 2000;

/**
 * Follows the cloud for as long as the page lives: reads the state, streams what happens next, and after a break goes
 * on from the last event it saw. Where the stream cannot (`reset`), the state is read again.
 *
 * EventSource's own reconnecting is not used: it gives up on an answer that is not a stream, and does not say why.
 */
export class LiveStream {
	/** @type {World} */ #world;
	/** @type {Listener} */ #listener;
	/** @type {string | null} */ #lastEventId = null;
	/** @type {Received[]} */ #gathered = [];
	#attempt = 0;
	#started = false;

	/** @param {World} world @param {Listener} listener */
	constructor(world, listener) {
		this.#world = world;
		this.#listener = listener;
	}

	start() {
		this.#tell("connecting", null, null);
		void this.#connect();
	}

	async #connect() {
		const reread = this.#lastEventId === null;
		try {
			if (this.#lastEventId === null) {
				const state = await this.#world.read();
				this.#lastEventId = state.lastEventId;
				this.#listener.state(state);
			}
		} catch (error) {
			return this.#retry(
				error instanceof Error ? error.message : String(error),
			);
		}
		this.#follow(reread ? "reread" : "resumed", this.#lastEventId);
	}

	/** @param {"resumed" | "reread"} how @param {string} lastEventId */
	#follow(how, lastEventId) {
		const source = this.#world.open(lastEventId);
		let opened = Number.POSITIVE_INFINITY;
		source.onopen = () => {
			opened = this.#world.now();
			this.#tell("live", this.#started ? how : null, null);
			this.#started = true;
		};
		source.onerror = () => {
			source.close();
			// One that breaks as soon as it is open must go on backing off.
			if (this.#world.now() - opened >= steadyMs) this.#attempt = 0;
			this.#retry("The connection to the cloud broke");
		};
		for (const name of names)
			source.addEventListener(name, (event) => {
				this.#lastEventId = event.lastEventId;
				this.#gather(
					/** @type {Received} */ ({
						name,
						data: JSON.parse(event.data),
						at: this.#world.now(),
					}),
				);
			});
		source.addEventListener("reset", () => {
			source.close();
			this.#lastEventId = null;
			this.#gathered = [];
			this.#retry("The cloud cannot go on from where the page was");
		});
	}

	/** @param {string} reason */
	#retry(reason) {
		const pause = pauses[Math.min(this.#attempt, pauses.length - 1)] ?? 0;
		this.#attempt++;
		this.#tell("reconnecting", null, reason);
		this.#world.after(pause, () => void this.#connect());
	}

	/** @param {Received} event */
	#gather(event) {
		this.#gathered.push(event);
		if (this.#gathered.length > 1) return;
		this.#world.after(gatherMs, () => {
			const events = this.#gathered;
			this.#gathered = [];
			if (events.length > 0) this.#listener.events(events);
		});
	}

	/** @param {Connection["phase"]} phase @param {Connection["how"]} how @param {string | null} reason */
	#tell(phase, how, reason) {
		this.#listener.connection({
			phase,
			how,
			attempt: phase === "reconnecting" ? this.#attempt : 0,
			reason,
		});
	}
}
