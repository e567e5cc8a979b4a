import type { Service } from "../api/core.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import { externalIPRecordOf } from "./external-ips/record.ts";
import { wantedExternalIPs } from "./external-ips/request.ts";
import { canonical } from "./external-ips/roles.ts";
import { ingressIsOurs, sameIngress } from "./ingress.ts";

const ownAnnotations = [annotations.assigned, annotations.provisionedBy];
const ownConditions: readonly string[] = Object.values(conditions);

/**
 * What of ours somebody took off a Service, or overwrote, that goes on wanting a balancer or external IPs; each as people
 * call it. Empty for a Service that was changed in what it wants: there the API server itself clears status.
 */
export function undone(before: Service, now: Service): string[] {
	if (now.metadata.deletionTimestamp) return [];
	const lost = undoneExternalIPs(before, now);
	if (now.spec.type !== "LoadBalancer") {
		if (wiped(before, now, [conditions.externalIPs]))
			lost.push("status.conditions");
		return lost;
	}
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
	if (wiped(before, now, ownConditions)) lost.push("status.conditions");
	return lost;
}

/** Of the external IPs that Fairlead assigned to a Service which goes on asking for some. */
function undoneExternalIPs(before: Service, now: Service): string[] {
	const record = externalIPRecordOf(before);
	if (!record || !wantedExternalIPs(before) || !wantedExternalIPs(now))
		return [];
	const name = annotations.assignedExternalIPs;
	const lost: string[] = [];
	if (now.metadata.annotations?.[name] !== before.metadata.annotations?.[name])
		lost.push(`annotation ${name}`);
	const was = canonical(before.spec.externalIPs ?? []);
	const is = canonical(now.spec.externalIPs ?? []);
	if (record.addresses.some((ip) => was.includes(ip) && !is.includes(ip)))
		lost.push("spec.externalIPs");
	return lost;
}

function wiped(
	before: Service,
	now: Service,
	types: Iterable<string>,
): boolean {
	const has = ({ status }: Service, type: string) =>
		(status?.conditions ?? []).some((each) => each.type === type);
	return [...types].some((type) => has(before, type) && !has(now, type));
}

/** The shared finalizer is ours where the record says that we hold something. */
function heldFinalizers({ metadata }: Service): string[] {
	const held = metadata.annotations?.[annotations.provisionedBy] !== undefined;
	return (metadata.finalizers ?? []).filter(
		(name) =>
			name === finalizers.classed || (held && name === finalizers.classless),
	);
}
