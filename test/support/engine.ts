import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { EngineBalancer } from "../../fake-cloud/engine/engine.ts";
import {
	UserspaceEngine,
	type UserspaceEngineOptions,
} from "../../fake-cloud/engine/userspace/engine.ts";
import type { Service } from "../../fake-cloud/store/records.ts";
import { systemClock } from "../../operator/clock.ts";
import { quietLog } from "./quiet-log.ts";
import { readAll } from "./read-all.ts";

const cleanups: (() => void | Promise<void>)[] = [];
/** Ends what the others here started; for afterEach. */
export async function closeEngines(): Promise<void> {
	for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** A server on an address of its own; `answer` gets each connection. */
export async function target(
	host: string,
	port: number,
	answer: (socket: Socket) => unknown,
): Promise<{ server: Server; port: number; sockets: Set<Socket> }> {
	const sockets = new Set<Socket>();
	const server = createServer({ allowHalfOpen: true }, (socket) => {
		sockets.add(socket);
		socket.on("error", () => {}).once("close", () => sockets.delete(socket));
		answer(socket);
	});
	server.listen(port, host);
	await once(server, "listening");
	cleanups.push(async () => {
		for (const socket of sockets) socket.destroy();
		if (!server.listening) return;
		server.close();
		await once(server, "close");
	});
	return { server, port: (server.address() as { port: number }).port, sockets };
}

/** Targets on 127.0.0.1…N, all on one port, each answering with its number. */
export async function numbered(count: number) {
	const first = await target("127.0.0.1", 0, (socket) => void socket.end("1"));
	const all = [first];
	for (let n = 2; n <= count; n++)
		all.push(
			await target(
				`127.0.0.${n}`,
				first.port,
				(socket) => void socket.resume().end(String(n)),
			),
		);
	return { port: first.port, all };
}

export const service = (
	destination: number,
	more: Partial<Service> = {},
): Service => ({
	protocol: "tcp",
	listen_port: 80,
	destination_port: destination,
	proxyprotocol: false,
	health_check: {
		protocol: "tcp",
		port: destination,
		interval: 15,
		timeout: 1,
		retries: 2,
	},
	...more,
});

/** A connection whose failure shows in how it closes. */
export const dial = (engine: UserspaceEngine, port = 80) =>
	engine.dial("203.0.113.1", port).on("error", () => {});

export const balancer = (
	services: Service[],
	addresses: string[],
	more: Partial<EngineBalancer> = {},
): EngineBalancer => ({
	id: 1,
	addresses: ["203.0.113.1"],
	algorithm: "round_robin",
	maxConnections: 100,
	services,
	targets: addresses.map((address) => ({
		key: `ip:${address}`,
		address,
		problem: null,
	})),
	...more,
});

/** Checked whenever a counter moves. */
const waiting = new Set<() => void>();

/** Resolves once `holds`, which depends on counters. */
export function until(holds: () => boolean): Promise<void> {
	return new Promise((resolve) => {
		const check = () => {
			if (!holds()) return;
			waiting.delete(check);
			resolve();
		};
		waiting.add(check);
		check();
	});
}

export function engine(options: Partial<UserspaceEngineOptions> = {}) {
	const made = new UserspaceEngine({
		clock: systemClock,
		log: quietLog(),
		probe: async () => undefined,
		counted: () => {
			for (const check of waiting) check();
		},
		...options,
	});
	cleanups.push(() => made.close());
	return made;
}

/** What a client that only listens is told, once its connection is over. */
export async function hear(client: Duplex): Promise<string> {
	const said = String(await readAll(client));
	client.end();
	await closed(client);
	return said;
}

export const say = (engine: UserspaceEngine, from?: string) =>
	hear(
		engine.dial(
			"203.0.113.1",
			80,
			from === undefined ? undefined : { address: from, port: 4711 },
		),
	);

export function closed(stream: Duplex): Promise<void> {
	stream.on("error", () => {}).resume();
	return new Promise((resolve) => {
		if (stream.closed) resolve();
		else stream.once("close", resolve);
	});
}
