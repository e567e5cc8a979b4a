import type { Service } from "../api/core.ts";
import type { BalancerClass, ProviderName } from "../api/fairlead.ts";
import { annotations, classPrefix, finalizers } from "../api/names.ts";
import { adoptProblem, adoptWish, takesOver } from "./adopt-wish.ts";
import { type Claim, claimOfAnother } from "./claims.ts";
import { holdingOf } from "./holding.ts";
import { providerTraits } from "./provider-traits.ts";
import type { RefusalReason } from "./refusals.ts";

/** Whether a Service is ours to serve, and through which class. */
export type Ownership =
	| { kind: "Ours"; class: BalancerClass }
	/** Nobody asked us; `because` is for explain only, nothing is written to the Service. */
	| { kind: "NotOurs"; because: string }
	/** Ours by name, but it cannot be served; the Service is told. */
	| { kind: "Refused"; reason: RefusalReason; message: string };

/**
 * Who serves a Service. Class names are matched exactly; the default class also takes Services that name none, unless
 * another controller has (model/claims.ts). With two default classes nobody guesses: Services that already hold a
 * balancer keep it, others are told.
 */
export function resolveOwnership(
	service: Service,
	classes: Iterable<BalancerClass>,
): Ownership {
	if (service.spec.type !== "LoadBalancer")
		return {
			kind: "NotOurs",
			because: `its type is ${service.spec.type ?? "ClusterIP"}`,
		};
	const wanted = service.spec.loadBalancerClass;
	if (wanted === undefined) return resolveDefault(service, classes);
	if (!wanted.startsWith(classPrefix))
		return {
			kind: "NotOurs",
			because: `loadBalancerClass ${wanted} belongs to another controller`,
		};
	const name = wanted.slice(classPrefix.length);
	for (const candidate of classes)
		if (candidate.metadata.name === name) return admit(service, candidate);
	return {
		kind: "Refused",
		reason: "UnknownClass",
		message: `loadBalancerClass ${wanted}: there is no BalancerClass ${name}; create it, or recreate the Service with another class`,
	};
}

function resolveDefault(
	service: Service,
	classes: Iterable<BalancerClass>,
): Ownership {
	const defaults = [...classes]
		.filter((candidate) => candidate.spec.default === true)
		.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
	const [only] = defaults;
	if (!only)
		return {
			kind: "NotOurs",
			because: "it names no loadBalancerClass and no BalancerClass is default",
		};
	const claim = claimOfAnother(service);
	const providers = defaults.map(({ spec }) => spec.provider);
	if (claim && !isHandedOver(service, providers))
		return {
			kind: "Refused",
			reason: "ClaimedByAnother",
			message: claimedMessage(service, claim, providers),
		};
	if (defaults.length === 1) return admit(service, only);
	const holding = holdingOf(service);
	const holder = defaults.find(
		(candidate) => candidate.metadata.name === holding?.className,
	);
	if (holder) return { kind: "Ours", class: holder };
	return {
		kind: "Refused",
		reason: "AmbiguousDefaultClass",
		message: `BalancerClasses ${defaults.map((each) => each.metadata.name).join(" and ")} are all default; leave one, or name a loadBalancerClass`,
	};
}

/** The user has said what is to become of the other controller's balancer, and it can be done. */
function isHandedOver(
	service: Service,
	providers: readonly ProviderName[],
): boolean {
	return (
		adoptWish(service) !== undefined &&
		adoptProblem(service, providers) === undefined
	);
}

function claimedMessage(
	service: Service,
	{ by, sign }: Claim,
	providers: readonly ProviderName[],
): string {
	const { adopt } = annotations;
	const problem = adoptProblem(service, providers);
	return [
		`${by} serves this Service already (${sign}), and so Fairlead does not; let one controller take class-less Services, or recreate the Service with a loadBalancerClass. To hand it over, stop the other controller and annotate the Service with ${adopt}=no`,
		providers.some(takesOver)
			? `, or with ${adopt}=hcloud-ccm to keep that controller's balancer`
			: "",
		problem === undefined ? "" : `; ${problem}`,
	].join("");
}

function admit(service: Service, candidate: BalancerClass): Ownership {
	const { provider } = candidate.spec;
	if (!providerTraits[provider]?.available)
		return {
			kind: "Refused",
			reason: "ProviderUnavailable",
			message: `BalancerClass ${candidate.metadata.name}: provider ${provider} is not part of this version`,
		};
	const holds =
		holdingOf(service)?.className === candidate.metadata.name ||
		service.metadata.finalizers?.includes(finalizers.classed);
	if (candidate.metadata.deletionTimestamp && !holds)
		return {
			kind: "Refused",
			reason: "ClassDeleting",
			message: `BalancerClass ${candidate.metadata.name} is being deleted and takes no new Services`,
		};
	return { kind: "Ours", class: candidate };
}
