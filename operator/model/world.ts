import type { Service } from "../api/core.ts";
import type { Programming } from "./agents.ts";
import type { Assignment } from "./assignment.ts";
import type { DesiredBalancer, ObservedBalancer } from "./balancer/balancer.ts";
import type { Ownership } from "./ownership.ts";

/** All that is known of one Service when the next step is decided. */
export interface World {
	service: Service;
	ownership: Ownership;
	/** Set when the Service is ours. */
	ours?: OwnWorld;
	/** What the last call to a provider for this Service, as it now is, came to. */
	outcome: Outcome;
	/** Whether any endpoint of the Service is ready. */
	readyEndpoints: boolean;
	/** What nodes do with the recorded addresses; absent: nobody reports. */
	programming?: Programming;
	/** Highest Service resourceVersion seen: the number of an assignment made now. */
	seen: string;
	/** What somebody keeps undoing of ours on the Service (model/undone.ts); absent: nobody does. */
	contested?: string[];
	/** The Service, which leaves its pools, holds something they must write down before it is let go. */
	mustNote?: boolean;
	/** Of a Service that is refused: whether our pools know it as the holder of what is recorded on it. */
	recordHeld?: boolean;
	/** Wall time as RFC 3339, for lastTransitionTime. */
	now: string;
}

export interface OwnWorld {
	/** The class carries the finalizer that keeps it while Services hold something through it. */
	classGuarded: boolean;
	/** Something outside the API must be undone when the Service goes: it needs a finalizer. */
	needsUndo: boolean;
	/** A pool keeps what the Service releases: it must not go before that is written down, and so needs a finalizer. */
	retained?: boolean;
	addressing: Addressing;
	desired: DesiredBalancer;
}

export type Addressing =
	/** The provider picks the address. */
	| { kind: "Provider" }
	/** Our pools gave these. */
	| {
			kind: "Pools";
			assignment: Omit<Assignment, "number">;
			/** What is out of order all the same; without `reason` it is only worth a word. */
			notice?: { reason?: string; message: string };
	  }
	/** No pool could; the Service is woken when one can. */
	| { kind: "Refused"; reason: string; message: string };

export type Outcome =
	/** Nobody looked yet in this process, or what was seen no longer counts. */
	| { kind: "Unknown" }
	| { kind: "InFlight" }
	/** `slow`: it has been pending long enough to be worth a word even on a Service that is already served. */
	| { kind: "Observed"; balancer: ObservedBalancer; slow?: boolean }
	| { kind: "Gone" }
	| { kind: "Deleting"; waitingFor: string }
	/** `delayed`: nothing went wrong, the other side only asked to be left alone for a while. */
	| { kind: "Failed"; code: string; message: string; delayed?: true };
