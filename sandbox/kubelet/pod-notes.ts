import type { Container, Pod } from "../../operator/api/core.ts";
import type { EventFacts } from "../../operator/cluster/event-object.ts";
import { restartAt } from "./crash-loop.ts";
import { type ContainerRuntime, restarts } from "./pod-runtime.ts";
import { type Refusal, refusalEvents } from "./refusal.ts";

/** Says in events what a kubelet does with a pod. */
export class PodNotes {
	readonly #host: { event(pod: Pod, facts: EventFacts): void };
	readonly #pod: () => Pod;

	constructor(
		host: { event(pod: Pod, facts: EventFacts): void },
		pod: () => Pod,
	) {
		this.#host = host;
		this.#pod = pod;
	}

	tell(reason: string, action: string, note: string): void {
		this.#host.event(this.#pod(), { type: "Normal", reason, action, note });
	}

	warn(reason: string, note: string, action = "Starting"): void {
		this.#host.event(this.#pod(), { type: "Warning", reason, action, note });
	}

	/** What a container runs is known; that the sandbox has no volumes is said where one is asked for. */
	found({ name, volumeMounts = [] }: Container, note: string): void {
		this.tell("Pulled", "Pulling", note);
		for (const { mountPath } of volumeMounts)
			this.warn(
				"FailedMount",
				`the sandbox has no volumes: container ${name} starts without ${mountPath}`,
			);
	}

	started({ name }: Container): void {
		this.tell("Created", "Creating", `Created container: ${name}`);
		this.tell("Started", "Starting", `Started container ${name}`);
	}

	/** A container cannot be made. */
	refused(container: Container, refusal: Refusal): void {
		for (const facts of refusalEvents(container, refusal))
			this.#host.event(this.#pod(), facts);
	}

	/** A container has ended; if it is to be left alone before it starts again, that is said. */
	backOff(container: Container, { state, loop }: ContainerRuntime): void {
		const pod = this.#pod();
		if (state.is !== "ended" || !loop) return;
		if (!restarts(pod.spec.restartPolicy, state.ended.exitCode)) return;
		if (restartAt(loop, state.endedAt) <= state.endedAt) return;
		const { name, namespace = "default", uid = "" } = pod.metadata;
		this.warn(
			"BackOff",
			`Back-off restarting failed container ${container.name} in pod ${name}_${namespace}(${uid})`,
			"Restarting",
		);
	}
}
