import type { Service } from "../api/core.ts";
import { conditions, finalizers } from "../api/names.ts";
import { assignmentOf } from "./assignment.ts";
import { holdingOf } from "./holding.ts";
import { refusalReasons } from "./refusals.ts";

/** Another controller that serves a Service, as far as the Service alone tells. */
export interface Claim {
	/** For people: its name where it left one. */
	by: string;
	/** What shows it: a field of the Service. */
	sign: string;
}

/**
 * Who else serves a Service that names no class. Everybody who takes class-less Services takes all of them, so two such
 * controllers would overwrite each other for ever: who comes second yields. What somebody else wrote into ingress, and a
 * finalizer we did not set, are signs; annotations only help to name who it was, since they outlive their controllers.
 */
export function claimOfAnother(service: Service): Claim | undefined {
	if (service.spec.loadBalancerClass !== undefined) return undefined;
	if (holdingOf(service) || assignmentOf(service)) return undefined;
	const ingress = service.status?.loadBalancer?.ingress ?? [];
	if (ingress.length > 0 && !gotAnAddress(service)) {
		const addresses = ingress.map((each) => each.ip ?? each.hostname ?? "?");
		return {
			by: claimant(service),
			sign: `status.loadBalancer.ingress ${addresses.join(", ")}`,
		};
	}
	const foreign = service.metadata.finalizers?.find(
		(name) => name === finalizers.classless || name.startsWith(k3s),
	);
	return foreign === undefined || wasWorkedFor(service)
		? undefined
		: { by: claimant(service), sign: `finalizer ${foreign}` };
}

/** Where only annotations are stripped, the condition still speaks of an address of ours. */
function gotAnAddress({ status }: Service): boolean {
	return (status?.conditions ?? []).some(
		(each) =>
			each.type === conditions.addressAssigned && each.status === "True",
	);
}

/** Whether a provider of ours was at work for it, even if the record of that was stripped. */
export function wasWorkedFor({ status }: Service): boolean {
	return (status?.conditions ?? []).some(
		({ type, reason }) =>
			type === conditions.provisioned &&
			!(refusalReasons as readonly string[]).includes(reason),
	);
}

/** k3s ServiceLB (servicelb.go): its own finalizer, before it took to the one of all cloud controllers. */
const k3s = "svccontroller.k3s.cattle.io/";

/** MetalLB writes where it took an address from; older versions under the second name. */
const metallb = [
	"metallb.io/ip-allocated-from-pool",
	"metallb.universe.tf/ip-allocated-from-pool",
];

function claimant({ metadata }: Service): string {
	if (metallb.some((name) => metadata.annotations?.[name] !== undefined))
		return "MetalLB";
	if (metadata.finalizers?.some((name) => name.startsWith(k3s)))
		return "k3s ServiceLB";
	return metadata.finalizers?.includes(finalizers.classless)
		? "a cloud controller or k3s ServiceLB"
		: "another controller";
}
