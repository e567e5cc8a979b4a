import type { BalancerClass } from "../api/fairlead.ts";
import { finalizers } from "../api/names.ts";
import { type KubeClient, resources } from "../cluster/kube.ts";
import { isFairleadError } from "../errors.ts";
import type { Caches } from "./caches.ts";

/**
 * Keeps a BalancerClass from vanishing under the Services that hold something through it: a finalizer, set before the
 * first of them is provisioned and taken off a deleted class once the last of them is gone.
 */
export class ClassGuard {
	readonly #client: KubeClient;
	readonly #caches: Caches;
	/** Of a thousand Services of a new class only one needs to write. */
	readonly #holding = new Map<string, Promise<void>>();

	readonly #leftBehind: (className: string) => boolean;

	/** `leftBehind`: something of a Service that is gone is still to be deleted through the class. */
	constructor(
		client: KubeClient,
		caches: Caches,
		leftBehind: (className: string) => boolean,
	) {
		this.#client = client;
		this.#caches = caches;
		this.#leftBehind = leftBehind;
	}

	/** Resolves when the class carries the finalizer. */
	hold(className: string): Promise<void> {
		const running = this.#holding.get(className);
		if (running) return running;
		const held = this.#hold(className).finally(() =>
			this.#holding.delete(className),
		);
		this.#holding.set(className, held);
		return held;
	}

	async #hold(className: string): Promise<void> {
		const found = this.#caches.classes.get(className);
		if (!found || isHeld(found)) return;
		await this.#write(found, [
			...(found.metadata.finalizers ?? []),
			finalizers.classInUse,
		]);
	}

	/** Lets a deleted class go if no Service holds anything through it. */
	async release(className: string): Promise<void> {
		const found = this.#caches.classes.get(className);
		if (!found?.metadata.deletionTimestamp || !isHeld(found)) return;
		if (this.#caches.services.byIndex("holder", className).length > 0) return;
		if (this.#leftBehind(className)) return;
		await this.#write(
			found,
			(found.metadata.finalizers ?? []).filter(
				(each) => each !== finalizers.classInUse,
			),
		);
	}

	/** Custom resources know no strategic merge: the whole list is written, guarded by the version it was read at. */
	async #write(found: BalancerClass, list: string[]): Promise<void> {
		const { name, uid, resourceVersion } = found.metadata;
		try {
			const written = await this.#client.patch<BalancerClass>(
				resources.balancerClasses,
				{ name },
				{
					type: "merge",
					body: { metadata: { uid, resourceVersion, finalizers: list } },
				},
			);
			this.#caches.classes.apply(written);
		} catch (error) {
			if (!isFairleadError(error, "KubeConflict", "KubeNotFound")) throw error;
			if (isFairleadError(error, "KubeNotFound")) return;
			this.#caches.classes.apply(
				await this.#client.get<BalancerClass>(resources.balancerClasses, {
					name,
				}),
			);
			throw error;
		}
	}
}

function isHeld(found: BalancerClass): boolean {
	return found.metadata.finalizers?.includes(finalizers.classInUse) ?? false;
}
