import type { Service } from "../api/core.ts";
import type { ProviderName } from "../api/fairlead.ts";
import { annotations } from "../api/names.ts";
import { providerTraits } from "./provider-traits.ts";
import { quote } from "./quote.ts";

/** What its user says is to become of the balancer another controller made for a Service. */
export interface AdoptWish {
	/** Absent: it means nothing. */
	means?: "Leave" | "Take";
	/** As it is written, trimmed. */
	said: string;
}

const meanings = new Map([
	["no", "Leave"],
	["hcloud-ccm", "Take"],
] as const);

/** Empty means absent. */
export function adoptWish({ metadata }: Service): AdoptWish | undefined {
	const said = metadata.annotations?.[annotations.adopt]?.trim();
	if (!said) return undefined;
	const means = meanings.get(said as "no");
	return means ? { means, said } : { said };
}

/** Why the wish cannot be granted by a class of one of these providers; undefined: it can, or there is none. */
export function adoptProblem(
	service: Service,
	providers: readonly ProviderName[],
): string | undefined {
	const wish = adoptWish(service);
	if (!wish || wish.means === "Leave") return undefined;
	const { adopt } = annotations;
	if (!wish.means)
		return `annotation ${adopt} says ${quote(wish.said)}, which means nothing: no leaves another controller's balancer, hcloud-ccm takes over that of hcloud-cloud-controller-manager`;
	if (providers.some(takesOver)) return undefined;
	const able = (Object.keys(providerTraits) as ProviderName[]).filter(
		takesOver,
	);
	return `annotation ${adopt} says ${wish.said}, but provider ${[...new Set(providers)].join(" or ")} cannot take over a balancer; only a class of provider ${able.join(" or ")} can`;
}

/** Whether a class of this provider can take over what another controller made. */
export function takesOver(provider: ProviderName): boolean {
	return providerTraits[provider]?.takesOver ?? false;
}
