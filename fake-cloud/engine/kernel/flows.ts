import type { Transport } from "../../store/listener-key.ts";

/** A connection or UDP session that the kernel carries from a client through a balancer to a target. */
export interface Flow {
	/** One of a kind while it lasts. */
	id: string;
	transport: Transport;
	/** The balancer's, as the client sees it. */
	address: string;
	port: number;
	target: { address: string; port: number };
	/** It may still carry something. */
	open: boolean;
	/** Its target has said nothing, or refused. */
	unanswered: boolean;
	/** Bytes of whole IP packets, from the client and to it. */
	bytesIn: number;
	bytesOut: number;
}

/** Which flows: every field that is there must be so. */
export interface FlowMatch {
	transport?: Transport;
	address?: string;
	port?: number;
	/** Without a port, any. */
	target?: { address: string; port?: number };
}

/** The flows in a namespace: conntrack. Calls are synchronous. */
export interface Flows {
	/** Those there are, with what they carried so far. */
	list(): Flow[];
	/** Lets the kernel forget flows: their next packets are a new flow's. */
	forget(match: FlowMatch): void;
	close(): void;
}
