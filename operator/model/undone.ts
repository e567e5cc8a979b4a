import type { Service } from "../api/core.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import { ingressIsOurs, sameIngress } from "./ingress.ts";

const ownAnnotations = [annotations.assigned, annotations.provisionedBy];
const ownConditions = new Set<string>(Object.values(conditions));

/**
 * What of ours somebody took off a Service, or overwrote, that goes on wanting a balancer; each as people call it. Empty
 * for a Service that was changed in what it wants: there the API server itself clears status.
 */
export function undone(before: Service, now: Service): string[] {
	if (now.metadata.deletionTimestamp || now.spec.type !== "LoadBalancer")
		return [];
	const lost: string[] = [];
	for (const name of ownAnnotations) {
		const was = before.metadata.annotations?.[name];
		if (was !== undefined && now.metadata.annotations?.[name] !== was)
			lost.push(`annotation ${name}`);
	}
	for (const name of heldFinalizers(before))
		if (!now.metadata.finalizers?.includes(name))
			lost.push(`finalizer ${name}`);
	if (
		ingressIsOurs(before) &&
		!sameIngress(
			before.status?.loadBalancer?.ingress ?? [],
			now.status?.loadBalancer?.ingress ?? [],
		)
	)
		lost.push("status.loadBalancer.ingress");
	const said = now.status?.conditions ?? [];
	const wiped = (before.status?.conditions ?? []).some(
		({ type }) =>
			ownConditions.has(type) && !said.some((each) => each.type === type),
	);
	if (wiped) lost.push("status.conditions");
	return lost;
}

/** The shared finalizer is ours where the record says that we hold something. */
function heldFinalizers({ metadata }: Service): string[] {
	const held = metadata.annotations?.[annotations.provisionedBy] !== undefined;
	return (metadata.finalizers ?? []).filter(
		(name) =>
			name === finalizers.classed || (held && name === finalizers.classless),
	);
}
