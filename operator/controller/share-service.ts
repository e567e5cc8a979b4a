import type { Service } from "../api/core.ts";
import type { SharedValues } from "./shared-values.ts";

/** Fields of a Service's spec that differ from one to the next. */
const own = new Set(["clusterIP", "loadBalancerIP", "externalName"]);

/** The same Service, made of values it has in common with others where they are equal. */
export function shareService(service: Service, shared: SharedValues): Service {
	const { metadata, spec, status } = service;
	const slim: Record<string, unknown> = { ...spec };
	for (const [field, value] of Object.entries(spec))
		if (typeof value === "string") {
			if (!own.has(field)) slim[field] = shared.text(value);
		} else if (field === "ports" || field === "ipFamilies")
			slim[field] = shared.json(value as object);
	const result: Service = {
		metadata: {
			...metadata,
			...(metadata.namespace === undefined
				? {}
				: { namespace: shared.text(metadata.namespace) }),
			...(metadata.labels ? { labels: shared.json(metadata.labels) } : {}),
		},
		spec: slim as Service["spec"],
	};
	if (!status) return result;
	result.status = status.conditions
		? {
				...status,
				conditions: status.conditions.map((each) => shared.json(each)),
			}
		: status;
	return result;
}
