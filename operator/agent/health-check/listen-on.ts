import type { Server } from "node:http";

/**
 * Makes a server listen on an address and port of a node; in a network namespace of its own if need be. Rejects with
 * ListenFailed, or what the kernel says.
 */
export type ListenOn = (
	server: Server,
	address: string,
	port: number,
) => Promise<unknown>;
