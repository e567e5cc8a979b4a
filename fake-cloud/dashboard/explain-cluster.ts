import type { Service } from "../../operator/api/core.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { pendingOf } from "../../operator/model/pending.ts";
import type { Explain } from "./pending.ts";

/** Asks a cluster which of its Services wait, and why. */
export function explainCluster(client: Pick<KubeClient, "list">): Explain {
	return async () => {
		const { items } = await client.list<Service>(resources.services);
		return items.flatMap((service) => {
			const pending = pendingOf(service);
			const { namespace = "", name } = service.metadata;
			return pending ? [{ namespace, name, ...pending }] : [];
		});
	};
}
