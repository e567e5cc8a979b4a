import type { IPFamily, LoadBalancerIngress } from "../../api/core.ts";
import type { FamilyCount } from "../../api/fairlead.ts";
import type { Condition } from "../../api/meta.ts";
import type { Assignment } from "../assignment.ts";

/** What `explainService` says of one Service: plain data, the same for the same objects in whatever order they came. */
export interface Explanation {
	/** `namespace/name` */
	service: string;
	/**
	 * Served: it has its address and ready endpoints. Degraded: it has its address and something is out of order.
	 * Waiting: it has none yet. Leaving: what was made for it is being taken away. NotOurs: Fairlead does not serve it.
	 */
	state: "Served" | "Degraded" | "Waiting" | "Leaving" | "NotOurs";
	/** One sentence. */
	headline: string;
	/** What decides; a key of `reasons` or the code of an error. */
	reason: string;
	/** The step it is at; undefined when every step is done. */
	step?: StepName;
	wanted: Wanted;
	present: Present;
	steps: StepReport[];
	/** Every AddressPool, in the order they are drawn from. */
	pools: PoolReport[];
	/** Every BalancerClass, by name. */
	classes: ClassReport[];
	/** What somebody can do, the most useful first. */
	advice: string[];
	/** What could not be read, and what is not known therefore. */
	blind: string[];
}

/** In the order a Service goes through them; Undo and Finalizers are for those that leave. */
export type StepName =
	| "Ownership"
	| "Address"
	| "Guard"
	| "Provider"
	| "Programmed"
	| "Ingress"
	| "Serving"
	| "ExternalIPs"
	| "NodePorts"
	| "Undo"
	| "Finalizers";

export interface StepReport {
	step: StepName;
	/**
	 * Done. Notice: done, and something is out of order. Blocked: it waits for what the message says. Next: it is the
	 * controller's turn. Later: an earlier step is not done. Skipped: there is nothing to do, or nobody to ask.
	 */
	state: "Done" | "Notice" | "Blocked" | "Next" | "Later" | "Skipped";
	reason: string;
	message: string;
}

export interface Wanted {
	type: string;
	loadBalancerClass?: string;
	families: IPFamily[];
	ipFamilyPolicy: string;
	/** Asked for, canonical. */
	addresses: string[];
	pool?: string;
	sharingKey?: string;
	/** `TCP 80 → web, NodePort 30080` as data. */
	ports: {
		name?: string;
		protocol: string;
		port: number;
		targetPort?: number | string;
		nodePort?: number;
	}[];
	sourceRanges: string[];
	externalTrafficPolicy: string;
	sessionAffinity: string;
	externalIPs: string[];
}

export interface Present {
	/** The record of its addresses. */
	assigned?: Assignment;
	/** `CLASS/PROVIDER` that holds something for it. */
	provisionedBy?: string;
	finalizers: string[];
	ingress: LoadBalancerIngress[];
	/** Ours only. */
	conditions: Condition[];
	/** Set: since when it is being deleted, RFC 3339. */
	deleting?: string;
	endpoints: { ready: number; total: number };
	/** Since when, RFC 3339, the condition that decides says what it says. */
	since?: string;
}

export interface PoolReport {
	pool: string;
	/**
	 * Holds: the Service has an address of it. Gives: it has one for it. Refuses: it does not, `why` says why not.
	 * NotAsked: nobody asks pools for this Service.
	 */
	verdict: "Holds" | "Gives" | "Refuses" | "NotAsked";
	/** A reason's code; absent for Holds and Gives. */
	reason?: string;
	why: string;
	ipv4: FamilyCount;
	ipv6: FamilyCount;
}

export interface ClassReport {
	class: string;
	provider: string;
	default: boolean;
	/** Serves: the Service's. Refuses: it would be, but. Other: the Service goes elsewhere, or nowhere. */
	verdict: "Serves" | "Refuses" | "Other";
	why: string;
}
