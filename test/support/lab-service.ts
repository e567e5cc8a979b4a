import type { Service } from "../../operator/api/core.ts";
import { annotations as names } from "../../operator/api/names.ts";

export interface Wishes {
	/** Annotation fairlead.dev/addresses. */
	addresses?: string;
	/** Annotation fairlead.dev/pool. */
	pool?: string;
	/** Annotation fairlead.dev/sharing-key. */
	key?: string;
	annotations?: Record<string, string>;
	labels?: Record<string, string>;
	/** `80`, `53/UDP`. */
	ports?: string[];
	spec?: Partial<Service["spec"]>;
}

/** `name` of namespace shop, or `namespace/name`. */
export function named(name: string): { namespace: string; name: string } {
	const [first = "", second] = name.split("/");
	return second === undefined
		? { namespace: "shop", name: first }
		: { namespace: first, name: second };
}

/** A LoadBalancer Service without NodePorts that asks for this. */
export function labService(name: string, wishes: Wishes): Service {
	const annotations: Record<string, string> = { ...wishes.annotations };
	if (wishes.addresses) annotations[names.addresses] = wishes.addresses;
	if (wishes.pool) annotations[names.pool] = wishes.pool;
	if (wishes.key) annotations[names.sharingKey] = wishes.key;
	return {
		metadata: {
			...named(name),
			annotations,
			...(wishes.labels ? { labels: wishes.labels } : {}),
		},
		spec: {
			type: "LoadBalancer",
			allocateLoadBalancerNodePorts: false,
			selector: { app: named(name).name },
			ports: (wishes.ports ?? ["80"]).map((text) => {
				const [port, protocol = "TCP"] = text.split("/");
				return {
					name: `p${text.replace("/", "").toLowerCase()}`,
					port: Number(port),
					protocol: protocol as "TCP",
				};
			}),
			...wishes.spec,
		},
	};
}
