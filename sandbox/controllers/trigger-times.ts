import type { Pod, Service } from "../../operator/api/core.ts";
import { readyCondition } from "./pod-state.ts";

export const triggerTimeAnnotation =
	"endpoints.kubernetes.io/last-change-trigger-time";

interface Seen {
	service: number;
	pods: Map<string, number>;
}

/**
 * Tells when the change happened that a Service's endpoints are about to follow, for those who measure how long that takes
 * (k8s.io/endpointslice/util/trigger_time_tracker.go).
 */
export class TriggerTimes {
	readonly #seen = new Map<string, Seen>();

	/** RFC 3339; undefined when nothing that has a time changed since the last call for this key. */
	next(
		key: string,
		service: Service,
		pods: readonly Pod[],
	): string | undefined {
		const before = this.#seen.get(key);
		const now: Seen = { service: created(service), pods: new Map() };
		const changed: number[] = [];
		for (const pod of pods) {
			const at = Date.parse(readyCondition(pod)?.lastTransitionTime ?? "");
			if (Number.isNaN(at)) continue;
			now.pods.set(pod.metadata.name, at);
			if (at > (before?.pods.get(pod.metadata.name) ?? 0)) changed.push(at);
		}
		if (now.service > (before?.service ?? 0)) changed.push(now.service);
		this.#seen.set(key, now);
		// A Service that is new here: its endpoints follow from its creation.
		const at = before ? Math.min(...changed) : now.service;
		return Number.isFinite(at) && at > 0
			? `${new Date(at).toISOString().slice(0, 19)}Z`
			: undefined;
	}

	forget(key: string): void {
		this.#seen.delete(key);
	}
}

const created = ({ metadata }: Service) =>
	Date.parse(metadata.creationTimestamp ?? "") || 0;
