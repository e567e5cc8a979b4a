import type { BalancerClass } from "../../api/fairlead.ts";
import type { Clock } from "../../clock.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { isFairleadError } from "../../errors.ts";
import {
	explainRelease,
	withReleaseCondition,
} from "../../model/nodeports/release.ts";
import type { Caches } from "../caches.ts";

/** Tells a BalancerClass that asks for Release whether its provider can do without NodePorts. */
export class ClassRelease {
	readonly #options: { client: KubeClient; caches: Caches; clock: Clock };

	constructor(options: { client: KubeClient; caches: Caches; clock: Clock }) {
		this.#options = options;
	}

	async sync(name: string): Promise<{ retryAfterMs?: number }> {
		const { client, caches, clock } = this.#options;
		const found = caches.classes.get(name);
		if (!found) return {};
		const list = withReleaseCondition(
			found.status?.conditions ?? [],
			explainRelease(found),
			new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z"),
		);
		if (!list) return {};
		const { uid, resourceVersion } = found.metadata;
		try {
			const written = await client.patch<BalancerClass>(
				resources.balancerClasses,
				{ name, subresource: "status" },
				{
					type: "merge",
					// Custom resources know no strategic merge: the whole list is written, guarded by its version.
					body: {
						metadata: { uid, resourceVersion },
						status: { conditions: list },
					},
				},
			);
			caches.classes.apply(written);
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return {};
			// Other conditions of the class are written elsewhere, often at the same moment.
			if (!isFairleadError(error, "KubeConflict")) throw error;
			return { retryAfterMs: 200 };
		}
		return {};
	}
}
