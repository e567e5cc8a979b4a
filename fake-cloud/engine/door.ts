import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Clock } from "../../operator/clock.ts";
import { FairleadError } from "../../operator/errors.ts";
import { canonicalAddress } from "../store/address-range.ts";
import { type Client, DialError } from "./engine.ts";
import { splice } from "./userspace/splice.ts";

export interface DoorOptions {
	clock: Clock;
	/** Loopback. */
	host: string;
	/** 0: any free one. */
	port: number;
	/** @throws DialError */
	dial(address: string, port: number, client: Client): Duplex;
	/** Whether balancers may have such an address; others are refused as not allowed. */
	serves(address: string): boolean;
}

export interface Door {
	/** `127.0.0.1:1080`. */
	address: string;
	close(): Promise<void>;
}

/** Reply codes of RFC 1928, 6. */
const reply = {
	ok: 0,
	notAllowed: 2,
	unreachable: 4,
	refused: 5,
	commandUnknown: 7,
	addressTypeUnknown: 8,
};

const noAuthentication = 0;
const noneAcceptable = 0xff;

/**
 * The way to the balancers' addresses for programs on this machine: a SOCKS5 proxy (RFC 1928) without authentication
 * that connects to balancers and to nothing else.
 *
 * @throws FairleadError ListenFailed
 */
export async function openDoor(options: DoorOptions): Promise<Door> {
	const open = new Set<Socket>();
	const server = createServer(
		{ allowHalfOpen: true, noDelay: true },
		(socket) => {
			open.add(socket);
			socket.on("error", () => {}).once("close", () => open.delete(socket));
			greet(socket, options);
		},
	);
	const port = await listen(server, options);
	return {
		address: `${options.host}:${port}`,
		async close() {
			const closed = once(server, "close");
			server.close();
			for (const socket of open) socket.destroy();
			await closed;
		},
	};
}

async function listen(
	server: Server,
	{ host, port }: DoorOptions,
): Promise<number> {
	server.listen({ host, port });
	try {
		await once(server, "listening");
	} catch (cause) {
		throw new FairleadError(
			"ListenFailed",
			`cannot open the SOCKS5 door on ${host}:${port}: ${(cause as Error).message}`,
			{ cause },
		);
	}
	return (server.address() as { port: number }).port;
}

/** Reads greeting and request, however they are cut into pieces; whatever follows belongs to the connection. */
function greet(socket: Socket, options: DoorOptions): void {
	let input: Buffer = Buffer.alloc(0);
	let greeted = false;
	const read = (chunk: Buffer) => {
		input = Buffer.concat([input, chunk]);
		if (!greeted) {
			const length = 2 + (input[1] ?? 255);
			if (input[0] !== 5) return void socket.destroy();
			if (input.length < length) return;
			const acceptable = input.subarray(2, length).includes(noAuthentication);
			if (!acceptable) return void socket.end(Buffer.from([5, noneAcceptable]));
			socket.write(Buffer.from([5, noAuthentication]));
			input = input.subarray(length);
			greeted = true;
		}
		const request = parseRequest(input);
		if (request === undefined) return;
		socket.off("data", read).off("end", giveUp).pause();
		if ("code" in request) return refuse(socket, request.code);
		connect(socket, request, options);
	};
	const giveUp = () => socket.destroy();
	socket.on("data", read).on("end", giveUp);
}

interface Request {
	host: string;
	port: number;
	/** What came after the request. */
	rest: Buffer;
}

/** Undefined while it is not whole yet. */
function parseRequest(input: Buffer): Request | { code: number } | undefined {
	if (input.length < 5) return undefined;
	const [version, command, , type] = input;
	if (version !== 5 || command !== 1) return { code: reply.commandUnknown };
	const lengths: Record<number, number> = {
		1: 4,
		3: 1 + (input[4] ?? 0),
		4: 16,
	};
	const length = lengths[type ?? 0];
	if (length === undefined) return { code: reply.addressTypeUnknown };
	if (input.length < 6 + length) return undefined;
	const address = input.subarray(4, 4 + length);
	const host =
		type === 1
			? [...address].join(".")
			: type === 4
				? (address.toString("hex").match(/.{4}/g) ?? []).join(":")
				: address.subarray(1).toString("latin1");
	return {
		host,
		port: input.readUInt16BE(4 + length),
		rest: input.subarray(6 + length),
	};
}

function connect(
	socket: Socket,
	{ host, port, rest }: Request,
	options: DoorOptions,
): void {
	const address = canonicalAddress(host);
	// A name is nobody's address here: whoever knows it resolves it first.
	if (address === undefined) return refuse(socket, reply.unreachable);
	if (!options.serves(address)) return refuse(socket, reply.notAllowed);
	let inside: Duplex;
	try {
		inside = options.dial(address, port, {
			address: socket.remoteAddress ?? "",
			port: socket.remotePort ?? 0,
		});
	} catch (error) {
		if (!(error instanceof DialError)) throw error;
		return refuse(
			socket,
			error.code === "ECONNREFUSED" ? reply.refused : reply.unreachable,
		);
	}
	answer(socket, reply.ok);
	if (rest.length > 0) inside.write(rest);
	splice(socket, inside, { clock: options.clock });
	socket.resume();
}

function refuse(socket: Socket, code: number): void {
	answer(socket, code);
	socket.end();
	socket.resume();
}

/** The address a reply carries tells nobody anything here. */
function answer(socket: Socket, code: number): void {
	socket.write(Buffer.from([5, code, 0, 1, 0, 0, 0, 0, 0, 0]));
}
