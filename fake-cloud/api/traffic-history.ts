import { z } from "zod";
import type { Cancel, Clock } from "../../operator/clock.ts";
import type { Counters, Engine } from "../engine/engine.ts";
import { invalidInput } from "./api-error.ts";
import { parse } from "./input.ts";

const series = {
	open_connections: ["open_connections"],
	connections_per_second: ["connections_per_second"],
	requests_per_second: ["requests_per_second"],
	bandwidth: ["bandwidth.in", "bandwidth.out"],
} as const;

const sampleEveryMs = 10_000;
const samplesKept = 360;
/** Hetzner gives at most this many, and picks the step for 200 when none is asked for. */
const pointsMost = 500;
const pointsByDefault = 200;

const time = z.iso
	.datetime({ offset: true, local: true, error: "must be a time (ISO 8601)" })
	.transform((text) => Date.parse(text));

const query = z.object({
	type: z.string(),
	start: time,
	end: time,
	step: z.coerce.number().min(1).optional(),
});

interface Sample {
	/** Milliseconds since the epoch. */
	at: number;
	counters: Counters;
}

export interface TrafficHistoryOptions {
	clock: Clock;
	engine: Engine;
	/** Ids of all balancers there are. */
	balancers: () => Iterable<number>;
}

/** What the balancers' counters were in the last hour, for the metrics endpoint. */
export class TrafficHistory {
	readonly #options: TrafficHistoryOptions;
	#samples = new Map<number, Sample[]>();
	#cancel: Cancel;

	constructor(options: TrafficHistoryOptions) {
		this.#options = options;
		this.#cancel = options.clock.after(sampleEveryMs, () => this.#sample());
	}

	/**
	 * The answer of `GET /load_balancers/{id}/metrics`. There are no values for times before the cloud was started.
	 *
	 * @throws ApiError invalid_input
	 */
	metrics(id: number, input: unknown) {
		const { type, start, end, step: asked } = parse(query, input);
		if (end <= start)
			throw invalidInput([{ name: "end", messages: ["must be after start"] }]);
		const types = type.split(",").map((name) => {
			if (Object.hasOwn(series, name)) return name as keyof typeof series;
			throw invalidInput([
				{
					name: "type",
					messages: [
						`must be one or more of ${Object.keys(series).join(",")}, got ${JSON.stringify(name)}`,
					],
				},
			]);
		});
		const seconds = (end - start) / 1000;
		const step = Math.max(
			asked ?? Math.ceil(seconds / pointsByDefault),
			Math.ceil(seconds / pointsMost),
		);
		const samples = this.#all(id);
		const points: { at: number; values: Record<string, number> }[] = [];
		for (let at = start; at <= end; at += step * 1000) {
			const values = between(samples, at - step * 1000, at);
			if (values) points.push({ at, values });
		}
		return {
			metrics: {
				start: new Date(start).toISOString(),
				end: new Date(end).toISOString(),
				step,
				time_series: Object.fromEntries(
					types
						.flatMap((name) => series[name])
						.map((name) => [
							name,
							{
								values: points.map(({ at, values }) => [
									at / 1000,
									String(values[name] ?? 0),
								]),
							},
						]),
				),
			},
		};
	}

	close(): void {
		this.#cancel();
	}

	#all(id: number): Sample[] {
		const counters = this.#options.engine.report(id)?.counters;
		const kept = this.#samples.get(id) ?? [];
		return counters
			? [...kept, { at: this.#options.clock.now(), counters: { ...counters } }]
			: kept;
	}

	#sample(): void {
		const samples = new Map<number, Sample[]>();
		for (const id of this.#options.balancers())
			samples.set(id, this.#all(id).slice(-samplesKept));
		this.#samples = samples;
		this.#cancel = this.#options.clock.after(sampleEveryMs, () =>
			this.#sample(),
		);
	}
}

/** What went on from `from` to `to`: rates between the samples around it; undefined where there are no two. */
function between(
	samples: readonly Sample[],
	from: number,
	to: number,
): Record<string, number> | undefined {
	const last = samples.findLast(({ at }) => at <= to);
	const first = samples.findLast(({ at }) => at <= from) ?? samples[0];
	if (!last || !first || last.at <= first.at) return undefined;
	const seconds = (last.at - first.at) / 1000;
	const rate = (key: "total" | "bytesIn" | "bytesOut") =>
		(last.counters[key] - first.counters[key]) / seconds;
	return {
		open_connections: last.counters.open,
		connections_per_second: rate("total"),
		requests_per_second: rate("total"),
		"bandwidth.in": rate("bytesIn"),
		"bandwidth.out": rate("bytesOut"),
	};
}
