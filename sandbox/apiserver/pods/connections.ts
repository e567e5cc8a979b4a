import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** A request that wants its connection for something else than HTTP. */
export interface Upgrade {
	request: IncomingMessage;
	socket: Duplex;
	head: Buffer;
}

/** Subresources of pods that are connections rather than answers. */
export const connections: readonly string[] = ["attach", "exec", "portforward"];
