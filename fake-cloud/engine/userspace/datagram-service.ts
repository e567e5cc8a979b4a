import type { Socket } from "node:dgram";
import { isIP } from "node:net";
import type { Cancel, Clock } from "../../../operator/clock.ts";
import type { Client } from "../engine.ts";
import type { EngineNetwork } from "../network.ts";
import type { Listener } from "./listener.ts";

/** What a client sent to a UDP listener. */
export interface Datagram {
	data: Buffer;
	from: Client;
	/** The balancer's. */
	address: string;
	port: number;
	/** Sends to the client, from the balancer's address and port. */
	answer: (data: Buffer) => void;
}

interface DatagramTarget {
	key: string;
	address: string | null;
}

export interface DatagramServiceOptions<T extends DatagramTarget> {
	clock: Clock;
	network: Pick<EngineNetwork, "datagrams">;
	listener: Listener;
	/** A session on which nothing is said for so long is over. */
	udpIdleMs: number;
	/** No more sessions may begin. */
	full: () => boolean;
	/** Whose turn it is; undefined when none can be had. */
	target: (preferred: string | undefined) => T | undefined;
	opened: (target: T) => void;
	closed: (target: T) => void;
	failed: () => void;
	moved: (target: T, direction: "in" | "out", bytes: number) => void;
}

interface Session {
	target: string;
	send(data: Buffer): void;
	end(): void;
}

/** Datagrams that wait while a session's socket is being connected; more are dropped, as a full queue does. */
const waitingMost = 64;

/**
 * A UDP listener: what one client's port says goes to one target, and back, until neither has said anything for a
 * while. A target that turns out to have nobody on its port (ICMP) ends the session; the client's next datagram begins
 * another.
 */
export class DatagramService<T extends DatagramTarget = DatagramTarget> {
	readonly #options: DatagramServiceOptions<T>;
	/** By the client's address and port and the balancer's address. */
	readonly #sessions = new Map<string, Session>();

	constructor(options: DatagramServiceOptions<T>) {
		this.#options = options;
	}

	hear(datagram: Datagram): void {
		const { from, address, data } = datagram;
		const key = `${from.address} ${from.port} ${address}`;
		const session = this.#sessions.get(key) ?? this.#begin(key, datagram);
		session?.send(data);
	}

	/** Ends what goes to a target that is not to be used any more. */
	leave(target: string): void {
		for (const session of this.#sessions.values())
			if (session.target === target) session.end();
	}

	close(): void {
		for (const session of this.#sessions.values()) session.end();
	}

	#begin(key: string, { from, answer }: Datagram): Session | undefined {
		const { listener, network, full, failed, opened } = this.#options;
		const target =
			listener.admits(from.address) && !full()
				? this.#options.target(listener.targetOf(from.address))
				: undefined;
		const host = target?.address;
		const socket = host && network.datagrams?.(isIP(host) === 6 ? 6 : 4);
		if (!target || !host || !socket) {
			failed();
			return undefined;
		}
		listener.remember(from.address, target.key);
		opened(target);
		const session = this.#join(target, { socket, host }, answer, () =>
			this.#sessions.delete(key),
		);
		this.#sessions.set(key, session);
		return session;
	}

	#join(
		target: T,
		{ socket, host }: { socket: Socket; host: string },
		answer: Datagram["answer"],
		forget: () => void,
	): Session {
		const { clock, listener, udpIdleMs, closed, failed, moved } = this.#options;
		let waiting: Buffer[] | undefined = [];
		let cancel: Cancel = () => {};
		let over = false;
		const end = () => {
			if (over) return;
			over = true;
			cancel();
			forget();
			closed(target);
			socket.close();
		};
		const alive = () => {
			cancel();
			cancel = clock.after(udpIdleMs, end);
		};
		const pass = (data: Buffer) => {
			moved(target, "in", data.length);
			socket.send(data);
		};
		socket.on("error", () => {
			if (!over) failed();
			end();
		});
		socket.on("message", (data) => {
			alive();
			answer(data);
			moved(target, "out", data.length);
		});
		socket.connect(listener.service.destination_port, host, () => {
			if (over) return;
			const all = waiting ?? [];
			waiting = undefined;
			for (const data of all) pass(data);
		});
		alive();
		return {
			target: target.key,
			end,
			send(data) {
				alive();
				if (!waiting) pass(data);
				else if (waiting.length < waitingMost) waiting.push(data);
			},
		};
	}
}
