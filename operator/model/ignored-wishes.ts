import type { Service } from "../api/core.ts";
import type { ProviderName } from "../api/fairlead.ts";
import { adoptProblem } from "./adopt-wish.ts";
import { reasonText } from "./addresses/reasons.ts";
import { poolWishes, readAddressWishes } from "./addresses/request.ts";
import { providerTraits } from "./provider-traits.ts";

/** What a Service asks for that its class cannot heed, a sentence each: it is served all the same, and told. */
export function ignoredWishes(
	service: Service,
	provider: ProviderName,
): string[] {
	const said: string[] = [];
	if (!providerTraits[provider]?.addressesFromPools) {
		const names = poolWishes(service);
		const several = names.length > 1;
		if (names.length > 0)
			said.push(
				`${several ? "annotations" : "annotation"} ${names.join(", ")} ${several ? "are" : "is"} ignored: provider ${provider} picks addresses itself; remove ${several ? "them" : "it"}, or use a class with pools`,
			);
		const { reasons } = readAddressWishes(service);
		said.push(
			...reasons.map((each) => `a wish is ignored: ${reasonText(each)}`),
		);
	}
	const problem = adoptProblem(service, [provider]);
	if (problem !== undefined) said.push(problem);
	return said;
}
