import { createServer, type Server } from "node:net";
import { listen } from "../operator/probes/listen.ts";
import { onPort } from "./free-port.ts";

/** Ports that were asked for; undefined: the usual one, or the next free one. */
export interface Ports {
	api: number | undefined;
	cloud: number | undefined;
	door: number | undefined;
}

const usual = { api: 6443, cloud: 8080, door: 1080 };

/**
 * Opens by `open` what the sandbox answers on. Rejects with ListenFailed for a port that was asked for and is taken, `undo`
 * called for those that were opened.
 */
export async function openListeners<T>(
	ports: Ports,
	open: (port: number) => T | Promise<T>,
	undo: (opened: T) => void,
): Promise<Record<keyof Ports, T>> {
	const opened: T[] = [];
	const on = async (name: keyof Ports) => {
		const one = await onPort(ports[name], usual[name], async (port) =>
			open(port),
		);
		opened.push(one);
		return one;
	};
	try {
		return {
			api: await on("api"),
			cloud: await on("cloud"),
			door: await on("door"),
		};
	} catch (error) {
		for (const one of opened) undo(one);
		throw error;
	}
}

/** As servers of this process, on loopback. */
export function openServers(
	ports: Ports,
): Promise<Record<keyof Ports, Server>> {
	return openListeners(
		ports,
		async (port) => {
			const server = createServer();
			await listen(server, "127.0.0.1", port);
			return server;
		},
		(server) => server.close(),
	);
}
