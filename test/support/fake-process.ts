import type { Cancel, Clock } from "../../operator/clock.ts";

/**
 * A process among others on one test's clock: it has its own idea of wall time and of the speed of time, and it can be
 * paused, as by SIGSTOP: time goes on, but nothing of it runs, and what arrives waits.
 */
export class FakeProcess implements Clock {
	#world: Clock;
	#speed: number;
	#wallOffset: number;
	#waiting: (() => void)[] | undefined;

	constructor(world: Clock, { speed = 1, wallOffset = 0 } = {}) {
		this.#world = world;
		this.#speed = speed;
		this.#wallOffset = wallOffset;
	}

	now(): number {
		return this.#world.now() + this.#wallOffset;
	}

	monotonic(): number {
		return this.#world.monotonic() * this.#speed;
	}

	after(ms: number, run: () => void): Cancel {
		let canceled = false;
		const cancel = this.#world.after(ms / this.#speed, () =>
			this.#whenRunning(() => {
				if (!canceled) run();
			}),
		);
		return () => {
			canceled = true;
			cancel();
		};
	}

	pause(): void {
		this.#waiting ??= [];
	}

	resume(): void {
		const waiting = this.#waiting ?? [];
		this.#waiting = undefined;
		for (const run of waiting) run();
	}

	/** `client` as this process sees it: answers reach it only while it runs. */
	client<C extends object>(client: C): C {
		return new Proxy(client, {
			get: (target, name) => {
				const member: unknown = Reflect.get(target, name);
				if (typeof member !== "function") return member;
				return (...args: unknown[]) =>
					this.#arriving(Reflect.apply(member, target, args));
			},
		});
	}

	#arriving(answer: Promise<unknown>): Promise<unknown> {
		return new Promise((resolve, reject) => {
			answer.then(
				(value) => this.#whenRunning(() => resolve(value)),
				(error: Error) => this.#whenRunning(() => reject(error)),
			);
		});
	}

	#whenRunning(run: () => void): void {
		if (this.#waiting) this.#waiting.push(run);
		else run();
	}
}
