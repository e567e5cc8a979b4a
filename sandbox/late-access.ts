import { type PodAccess, PodAccessError } from "./kubelet/pod-access.ts";

/** Stands for the kubelets while the API server runs and they do not yet. */
export class LateAccess implements PodAccess {
	#real: PodAccess | undefined;

	become(real: PodAccess): void {
		this.#real = real;
	}

	logs(...args: Parameters<PodAccess["logs"]>): ReturnType<PodAccess["logs"]> {
		return this.#now().logs(...args);
	}

	exec(...args: Parameters<PodAccess["exec"]>): ReturnType<PodAccess["exec"]> {
		return this.#now().exec(...args);
	}

	connect(
		...args: Parameters<PodAccess["connect"]>
	): ReturnType<PodAccess["connect"]> {
		return this.#now().connect(...args);
	}

	#now(): PodAccess {
		if (!this.#real)
			throw new PodAccessError(500, "the nodes of this sandbox do not run yet");
		return this.#real;
	}
}
