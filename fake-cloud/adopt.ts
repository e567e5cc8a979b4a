import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";
import { FairleadError } from "../operator/errors.ts";

/** Where something listens. */
export interface ListeningAt {
	host: string;
	port: number;
}

/**
 * Lets `server` take the connections of `opened`, a listener that somebody else has opened, perhaps another process that
 * may open what this one may not. Closing `server` closes it; `opened` itself gets nothing more.
 *
 * @throws FairleadError ListenFailed when it does not listen
 */
export async function adopt(
	server: Server,
	opened: Server,
): Promise<ListeningAt> {
	if (!opened.listening)
		throw new FairleadError(
			"ListenFailed",
			"the listener that was handed over does not listen (any more)",
		);
	server.listen(opened);
	await once(server, "listening");
	const { address, port } = server.address() as AddressInfo;
	return { host: address, port };
}
