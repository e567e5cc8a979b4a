import type { Service } from "../../api/core.ts";
import type { BalancerClass } from "../../api/fairlead.ts";
import { classPrefix } from "../../api/names.ts";
import { formatIp } from "../addresses/ip.ts";
import type { Ownership } from "../ownership.ts";
import { providerTraits } from "../provider-traits.ts";
import type { Prospect } from "./address-step.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import type { ClassReport, PoolReport } from "./explanation.ts";

/** For every pool why it has, would give, or refuses an address. `notAsked`: why no pool is asked at all. */
export function poolReports(
	facts: ClusterFacts,
	prospect: Prospect | undefined,
	notAsked: string,
): PoolReport[] {
	const counts = facts.allocator.counts();
	if (!prospect)
		return counts.map((each) => ({
			...each,
			verdict: "NotAsked",
			why: notAsked,
		}));
	const { request, held, offered } = prospect;
	const refusals = facts.allocator.explain(request);
	const asked = request.requestedAddresses.map(formatIp).join(", ");
	return counts.map((each) => {
		const own = held.filter(({ pool }) => pool === each.pool);
		if (own.length > 0)
			return {
				...each,
				verdict: "Holds",
				why: `holds ${own.map(({ ip }) => ip).join(", ")}`,
			};
		const given = offered.filter(({ pool }) => pool === each.pool);
		if (given.length > 0)
			return {
				...each,
				verdict: "Gives",
				why: `has ${given.map(({ ip }) => ip).join(", ")} for it`,
			};
		const against = refusals.filter(({ pool }) => pool === each.pool);
		const [first] = against;
		if (first)
			return {
				...each,
				verdict: "Refuses",
				reason: first.code,
				why: [...new Set(against.map(({ message }) => message))].join("; "),
			};
		if (asked !== "")
			return {
				...each,
				verdict: "Refuses",
				reason: "AddressNotInPool",
				why: `the Service asks for ${asked}`,
			};
		return {
			...each,
			verdict: "Gives",
			why: "has a free address, and others come first",
		};
	});
}

/** For every class why it serves the Service or does not. */
export function classReports(
	service: Service,
	ownership: Ownership,
	facts: ClusterFacts,
): ClassReport[] {
	return facts.classes.map((found) => {
		const { metadata, spec } = found;
		const report = (
			verdict: ClassReport["verdict"],
			why: string,
		): ClassReport => ({
			class: metadata.name,
			provider: spec.provider,
			default: spec.default === true,
			verdict,
			why,
		});
		if (
			ownership.kind === "Ours" &&
			ownership.class.metadata.name === metadata.name
		)
			return report(
				"Serves",
				service.spec.loadBalancerClass === undefined
					? "is default, and the Service names no class"
					: "the Service names it",
			);
		return isMeant(service, found)
			? report("Refuses", whyRefused(found, ownership))
			: report("Other", whyOther(service));
	});
}

/** Whether the Service goes to this class, if anything comes of it. */
function isMeant({ spec }: Service, found: BalancerClass): boolean {
	if (spec.type !== "LoadBalancer") return false;
	return spec.loadBalancerClass === undefined
		? found.spec.default === true
		: spec.loadBalancerClass === `${classPrefix}${found.metadata.name}`;
}

function whyRefused({ spec, metadata }: BalancerClass, by: Ownership): string {
	if (by.kind === "Refused" && by.reason === "AmbiguousDefaultClass")
		return "is default, and so is another";
	if (!providerTraits[spec.provider]?.available)
		return `provider ${spec.provider} is not part of this version`;
	if (metadata.deletionTimestamp)
		return "is being deleted and takes no new Services";
	return by.kind === "Refused" ? by.message : "another default class holds it";
}

function whyOther({ spec }: Service): string {
	if (spec.type !== "LoadBalancer")
		return `the Service is of type ${spec.type ?? "ClusterIP"}`;
	return spec.loadBalancerClass === undefined
		? "is not default, and the Service names no class"
		: `the Service names ${spec.loadBalancerClass}`;
}
