/** A Service that has no address yet, and why. */
export interface PendingService {
	namespace: string;
	name: string;
	/** Since when it waits, ISO 8601; null when nobody noted it. */
	since: string | null;
	/** CamelCase, the reason of the condition that holds it up. */
	reason: string;
	/** One sentence for people. */
	message: string;
}

/** Asks the cluster which Services wait, all of them; a rejection's message is shown as it is. */
export type Explain = () => Promise<PendingService[]>;

/** What `GET /dashboard/pending` answers; `known: false` where no cluster can be asked. */
export type PendingAnswer =
	| { known: false }
	| { known: true; services: PendingService[] };
