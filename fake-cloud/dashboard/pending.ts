import type { Explanation } from "../../operator/model/explain/explanation.ts";

/** A Service that is not served, and why; what the page shows of its explanation. */
export interface PendingService
	extends Pick<Explanation, "state" | "reason" | "step" | "steps" | "advice"> {
	namespace: string;
	name: string;
	/** Since when it is so, RFC 3339; null when nobody noted it. */
	since: string | null;
	/** The headline without the Service's name. */
	message: string;
	pools: Pick<Explanation["pools"][number], "pool" | "verdict" | "why">[];
	classes: Pick<
		Explanation["classes"][number],
		"class" | "provider" | "verdict" | "why"
	>[];
}

/** Asks the cluster which Services are not served, all of them; a rejection's message is shown as it is. */
export type Explain = () => Promise<PendingService[]>;

/** What `GET /dashboard/pending` answers; `known: false` where no cluster can be asked. */
export type PendingAnswer =
	| { known: false }
	| { known: true; services: PendingService[] };
