import { isDeepStrictEqual } from "node:util";
import type { Fault, FaultEffect, LiveFault } from "../api/live.ts";

/** A request under /v1 as faults see it. */
export interface FaultyRequest {
	method: string;
	/** With /v1, without the query. */
	path: string;
	project: string;
}

/** What is to go wrong with one request. */
export interface Verdict {
	/** Milliseconds to wait first. */
	delay: number;
	/** In place of, or after, what the request asks for. */
	instead?: Exclude<
		FaultEffect,
		{ kind: "latency" | "action-stuck" | "action-failed" | "quota" }
	>;
	/** Id of the fault that keeps the action it starts from ending. */
	heldBy: string | null;
	/** For the action it starts. */
	doomed: { code: string; message: string } | null;
}

interface Entry {
	fault: Fault & { id: string };
	path: RegExp | undefined;
	seen: number;
	hits: number;
}

/** The faults there are now, and the one generator that all their dice come from: same seed, same requests, same faults. */
export class Faults {
	#entries: Entry[] = [];
	#seed: number;
	#random: () => number;
	#next = 1;
	readonly #changed: () => void;

	/** `changed` is called after every change and every hit. */
	constructor(seed: number, changed: () => void) {
		this.#seed = seed;
		this.#random = seeded(seed);
		this.#changed = changed;
	}

	list(): LiveFault[] {
		return this.#entries.map(({ fault, hits }) => ({ ...fault, hits }));
	}

	get seed(): number {
		return this.#seed;
	}

	/**
	 * Replaces all faults. One that is put again as it was, with its id, stays: it goes on counting. Where none stays, or a
	 * `seed` is given, the generator starts again.
	 */
	replace(faults: readonly Fault[], seed?: number): void {
		const before = new Map(
			this.#entries.map((entry) => [entry.fault.id, entry]),
		);
		let stay = 0;
		this.#entries = faults.map((fault) => {
			const known = before.get(fault.id ?? "");
			if (known && isDeepStrictEqual(known.fault, fault)) {
				stay++;
				return known;
			}
			return this.#entry(fault);
		});
		if (seed !== undefined || stay === 0) {
			this.#seed = seed ?? this.#seed;
			this.#random = seeded(this.#seed);
		}
		this.#changed();
	}

	remove(id: string): boolean {
		const before = this.#entries.length;
		this.#entries = this.#entries.filter(({ fault }) => fault.id !== id);
		if (this.#entries.length === before) return false;
		this.#changed();
		return true;
	}

	/** The ids of the faults that hold actions. */
	holders(): Set<string> {
		return new Set(
			this.#entries
				.filter(({ fault }) => fault.effect.kind === "action-stuck")
				.map(({ fault }) => fault.id),
		);
	}

	/** Draws for one request. */
	judge(request: FaultyRequest): Verdict {
		const verdict: Verdict = { delay: 0, heldBy: null, doomed: null };
		let hit = false;
		for (const entry of this.#entries) {
			const { effect } = entry.fault;
			if (effect.kind === "quota" || !matches(entry, request)) continue;
			const taken =
				effect.kind === "latency"
					? false
					: effect.kind === "action-stuck" || effect.kind === "action-failed"
						? verdict.heldBy !== null || verdict.doomed !== null
						: verdict.instead !== undefined;
			if (taken || !this.#strikes(entry)) continue;
			hit = true;
			if (effect.kind === "latency")
				verdict.delay += effect.ms + this.#random() * (effect.jitterMs ?? 0);
			else if (effect.kind === "action-stuck") verdict.heldBy = entry.fault.id;
			else if (effect.kind === "action-failed")
				verdict.doomed = {
					code: effect.code ?? "action_failed",
					message: effect.message ?? "Action failed",
				};
			else verdict.instead = effect;
		}
		if (hit) this.#changed();
		return verdict;
	}

	/** How many of a resource a project may have; undefined: any number. */
	quota(resource: string, project: string): number | undefined {
		const limits = this.#entries.flatMap(({ fault: { effect, match } }) =>
			effect.kind === "quota" &&
			effect.resource === resource &&
			(match?.project === undefined || match.project === project)
				? [effect.limit]
				: [],
		);
		return limits.length === 0 ? undefined : Math.min(...limits);
	}

	#entry(fault: Fault): Entry {
		const path = fault.match?.path;
		return {
			fault: { ...fault, id: fault.id ?? `fault-${this.#next++}` },
			path: path === undefined ? undefined : new RegExp(path),
			seen: 0,
			hits: 0,
		};
	}

	#strikes(entry: Entry): boolean {
		const {
			after = 0,
			count = Number.POSITIVE_INFINITY,
			probability = 1,
		} = entry.fault;
		entry.seen++;
		if (entry.seen <= after || entry.hits >= count) return false;
		if (probability < 1 && this.#random() >= probability) return false;
		entry.hits++;
		return true;
	}
}

function matches(
	{ fault: { match }, path }: Entry,
	request: FaultyRequest,
): boolean {
	return (
		(match?.method === undefined ||
			match.method.toUpperCase() === request.method) &&
		(match?.project === undefined || match.project === request.project) &&
		(path === undefined || path.test(request.path))
	);
}

/** Lehmer's generator with multiplier 48271 modulo 2^31 - 1: numbers in (0, 1), the same ones for the same seed. */
function seeded(seed: number): () => number {
	const modulus = 2 ** 31 - 1;
	let state = (Math.abs(Math.trunc(seed)) % (modulus - 1)) + 1;
	return () => {
		state = (state * 48_271) % modulus;
		return state / modulus;
	};
}
