import type { Service } from "../api/core.ts";
import { conditions } from "../api/names.ts";

/** Why a Service of type LoadBalancer has no address yet. */
export interface Pending {
	/** Since when, RFC 3339; null when nobody noted it. */
	since: string | null;
	/** CamelCase. */
	reason: string;
	message: string;
}

/** Undefined for a Service that waits for nothing. Read off its conditions, the first that holds it up. */
export function pendingOf(service: Service): Pending | undefined {
	const { spec, status, metadata } = service;
	if (spec.type !== "LoadBalancer") return undefined;
	if ((status?.loadBalancer?.ingress ?? []).length > 0) return undefined;
	for (const type of [conditions.addressAssigned, conditions.provisioned]) {
		const found = status?.conditions?.find((each) => each.type === type);
		if (found && found.status !== "True")
			return {
				since: found.lastTransitionTime,
				reason: found.reason,
				message: found.message,
			};
	}
	return {
		since: metadata.creationTimestamp ?? null,
		reason: "NobodyAnswered",
		message:
			"no controller has said anything about it: no default BalancerClass takes it, its loadBalancerClass belongs to another controller, or none is running",
	};
}
