import type { Histogram } from "prom-client";
import type { EndpointSlice } from "../../api/core.ts";
import { objectKey } from "../../api/meta.ts";
import type { Clock } from "../../clock.ts";

/** Source: k8s.io/api/core/v1, EndpointsLastChangeTriggerTime: when what made the endpoints change happened. */
export const triggerTimeAnnotation =
	"endpoints.kubernetes.io/last-change-trigger-time";

/** Measures how long it takes from what happened to a pod until this node's rules follow. */
export class ProgrammingLatency {
	readonly #clock: Clock;
	readonly #seconds: Pick<Histogram, "observe">;
	/** By slice: wall times in milliseconds, of which a slice tells each once. */
	readonly #known = new Map<string, number>();
	readonly #waiting: number[] = [];
	readonly #startedAt: number;

	constructor(clock: Clock, seconds: Pick<Histogram, "observe">) {
		this.#clock = clock;
		this.#seconds = seconds;
		this.#startedAt = clock.now();
	}

	changed(slice: EndpointSlice): void {
		const { annotations } = slice.metadata;
		const at = Date.parse(annotations?.[triggerTimeAnnotation] ?? "");
		const key = objectKey(slice);
		// What happened before this process began is not its latency.
		if (!(at >= this.#startedAt) || this.#known.get(key) === at) return;
		this.#known.set(key, at);
		this.#waiting.push(at);
	}

	gone(slice: EndpointSlice): void {
		this.#known.delete(objectKey(slice));
	}

	/** Everything that changed so far is in force. */
	inForce(): void {
		const now = this.#clock.now();
		for (const at of this.#waiting.splice(0))
			this.#seconds.observe(Math.max(0, now - at) / 1000);
	}
}
