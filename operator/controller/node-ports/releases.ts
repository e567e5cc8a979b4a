import type { Service } from "../../api/core.ts";
import { annotations } from "../../api/names.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { isFairleadError } from "../../errors.ts";
import { nodePortsManager } from "../../model/nodeports/field-manager.ts";
import {
	insistsOn,
	type ManagedFields,
	releasePatch,
	releases,
	toRelease,
} from "../../model/nodeports/release.ts";
import type { PortTrouble } from "../../model/nodeports/verdict.ts";
import { resolveOwnership } from "../../model/ownership.ts";
import type { Caches } from "../caches.ts";

/** Whoever puts NodePorts back this often means it. */
const maxReleases = 3;

/** Gives back the NodePorts of Services whose class does without them. */
export class Releases {
	readonly #client: KubeClient;
	readonly #caches: Caches;
	/** By UID: how often NodePorts were given back in this term. */
	readonly #done = new Map<string, number>();

	constructor(client: KubeClient, caches: Caches) {
		this.#client = client;
		this.#caches = caches;
	}

	/** Whether a Service has, or would get, NodePorts that its class says to give back. */
	concerns(service: Service): boolean {
		const classes = [...this.#caches.classes.values()];
		// Asked at every change of every Service; mostly no class releases.
		if (!classes.some(releases) || !toRelease(service)) return false;
		const ownership = resolveOwnership(service, classes);
		return ownership.kind === "Ours" && releases(ownership.class);
	}

	forget(uid: string | undefined): void {
		if (uid !== undefined) this.#done.delete(uid);
	}

	/** Throws FairleadErrors of the Kubernetes API. */
	async sync(
		service: Service,
	): Promise<"again" | "done" | { trouble: PortTrouble }> {
		if (!this.concerns(service)) return "done";
		const { name, namespace = "", uid = "" } = service.metadata;
		const times = this.#done.get(uid) ?? 0;
		const orKeep = `annotate the Service with ${annotations.releaseNodePorts}=Keep`;
		if (times >= maxReleases)
			return {
				trouble: {
					reason: "Contested",
					message: `its class releases NodePorts, but somebody keeps putting them back; set allocateLoadBalancerNodePorts: false in the manifest, or ${orKeep}`,
				},
			};
		// Who set which field is not in the cache, for nobody else reads it.
		const whole = await this.#get(namespace, name);
		if (!whole || whole.metadata.uid !== uid) return "done";
		const { managedFields = [] } = whole.metadata as {
			managedFields?: ManagedFields[];
		};
		const who = insistsOn(managedFields, nodePortsManager);
		if (who !== undefined)
			return {
				trouble: {
					reason: "KeptByManifest",
					message: `its class releases NodePorts, but ${who}; remove that from the manifest, or ${orKeep}`,
				},
			};
		if (!toRelease(whole)) {
			this.#caches.services.apply(whole);
			return "again";
		}
		try {
			this.#caches.services.apply(
				await this.#client.patch<Service>(
					resources.services,
					{ namespace, name },
					{ type: "merge", body: releasePatch(whole) },
				),
			);
			this.#done.set(uid, times + 1);
		} catch (error) {
			if (!isFairleadError(error, "KubeConflict", "KubeNotFound")) throw error;
		}
		return "again";
	}

	async #get(namespace: string, name: string): Promise<Service | undefined> {
		try {
			return await this.#client.get<Service>(resources.services, {
				namespace,
				name,
			});
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return undefined;
			throw error;
		}
	}
}
