import type { Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import type { IPFamily } from "../../operator/api/core.ts";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { connectIn } from "../../operator/kernel/sockets.ts";

/** A machine outside, a node that routes, and three pods; the third belongs to another node, seen from this one. */
export type PlaceName = "outside" | "node" | "pod-1" | "pod-2" | "pod-3";

type Addresses = Record<IPFamily, string>;

export const addresses: Record<PlaceName, Addresses> = {
	outside: { IPv4: "192.0.2.10", IPv6: "2001:db8:2::10" },
	node: { IPv4: "192.0.2.1", IPv6: "2001:db8:2::1" },
	"pod-1": { IPv4: "10.244.1.2", IPv6: "2001:db8:244:1::2" },
	"pod-2": { IPv4: "10.244.1.3", IPv6: "2001:db8:244:1::3" },
	"pod-3": { IPv4: "10.244.2.2", IPv6: "2001:db8:244:2::2" },
};

/** What came of one question. */
export type Answer =
	| {
			by: PlaceName;
			/** Whose address the server saw. */
			saw: PlaceName;
	  }
	| "refused"
	| "echoed"
	| { error: string };

export interface Conversation {
	/** Asks once more; after a refusal over UDP one may ask again. */
	say(): Promise<Answer>;
	close(): void;
}

/** Over one connection. */
export function streamConversation(
	namespace: NetworkNamespace,
	host: string,
	port: number,
): Conversation {
	const socket = connectIn(namespace, { host, port });
	let failure: Error | undefined;
	socket.on("error", (error) => {
		failure = error;
	});
	return {
		async say() {
			const { promise, resolve } = Promise.withResolvers<Answer>();
			const heard = (data: Buffer) => resolve(read(data.toString()));
			const closed = () => resolve(failed(failure ?? "closed"));
			socket.once("data", heard).once("close", closed);
			socket.write("?");
			const answer = await promise;
			socket.off("data", heard).off("close", closed);
			return answer;
		},
		close: () => socket.destroy(),
	};
}

/** Over a connected socket, so that a refusal by ICMP is heard. */
export function datagramConversation(
	socket: UdpSocket,
	host: string,
	port: number,
	request: Buffer,
	readAnswer: (message: Buffer) => Answer,
): Conversation {
	const connected = once(socket, "connect").then(
		() => undefined,
		(error: Error) => error,
	);
	socket.connect(port, host);
	let open = true;
	return {
		async say() {
			const error = await connected;
			if (error) return failed(error);
			const { promise, resolve } = Promise.withResolvers<Answer>();
			const heard = (message: Buffer) => resolve(readAnswer(message));
			const refused = (reason: Error) => resolve(failed(reason));
			socket.once("message", heard).once("error", refused);
			socket.send(request);
			const answer = await promise;
			socket.off("message", heard).off("error", refused);
			return answer;
		},
		close() {
			if (open) socket.close();
			open = false;
		},
	};
}

/** What a server of a place says: its name, and whom it saw. */
export function read(said: string): Answer {
	const [by = "", address = ""] = said.split(" ");
	const saw = (Object.keys(addresses) as PlaceName[]).find((name) =>
		Object.values(addresses[name]).includes(address),
	);
	return saw
		? { by: by as PlaceName, saw }
		: { error: `${JSON.stringify(said)} is nobody here` };
}

function failed(error: unknown): Answer {
	const { code = String(error) } = error as NodeJS.ErrnoException;
	return code === "ECONNREFUSED" ? "refused" : { error: code };
}
