import type { BalancerClass } from "../api/fairlead.ts";
import type { Verdict } from "./conditions.ts";
import { providerTraits } from "./provider-traits.ts";

/** What is known of a BalancerClass beside itself. */
export interface ClassFacts {
	/** Names of all classes with spec.default, sorted. */
	defaults: string[];
	/** Services that hold something through it: how many, and one of them for people. */
	holders: { count: number; one?: string };
	/** What keeps the class as a whole from being used, as its provider last said. */
	trouble?: { code: string; message: string };
}

/** Condition Ready of a BalancerClass: whether a Service that comes to it now can be served. */
export function classCondition(
	{ metadata, spec }: BalancerClass,
	facts: ClassFacts,
): Verdict {
	if (metadata.deletionTimestamp)
		return notReady("ClassDeleting", deleting(facts));
	if (!providerTraits[spec.provider]?.available)
		return notReady(
			"ProviderUnavailable",
			`provider ${spec.provider} is not part of this version: use another, or a version that has it`,
		);
	if (facts.trouble) return notReady(facts.trouble.code, facts.trouble.message);
	if (spec.default && facts.defaults.length > 1)
		return notReady(
			"AmbiguousDefaultClass",
			`BalancerClasses ${facts.defaults.join(" and ")} are all default: leave one. Until then new Services without loadBalancerClass are not served; those that name a class are`,
		);
	return {
		type: "Ready",
		status: "True",
		reason: "Ready",
		message: `Services may use it${spec.default ? ", and those without loadBalancerClass do" : ""}`,
	};
}

function deleting({ holders }: ClassFacts): string {
	const { count, one } = holders;
	if (count === 0) return "it is being deleted";
	const who = count === 1 ? `Service ${one} holds` : `${count} Services hold`;
	return `it is being deleted and waits: ${who} something through it${count > 1 ? `, for instance ${one}` : ""}. Delete them or change their type`;
}

function notReady(reason: string, message: string): Verdict {
	return { type: "Ready", status: "False", reason, message };
}

/**
 * Errors that concern a class as a whole, whichever Service met them; of the others some Service's condition speaks. A
 * cloud that is merely busy or limits the rate is not among them: it works.
 */
const classWide = new Set([
	"CloudTokenMissing",
	"CloudUnauthorized",
	"CloudUnreachable",
	"CloudBadAnswer",
	"ClassInvalid",
]);

export function isClassWide(code: string): boolean {
	return classWide.has(code);
}
