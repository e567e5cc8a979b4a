import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../../operator/clock.ts";
import { FairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";
import { adopt, type ListeningAt } from "../adopt.ts";
import { canonicalAddress } from "../store/address-range.ts";
import { type Client, DialError } from "./engine.ts";
import { splice } from "./userspace/splice.ts";

export interface DoorOptions {
	clock: Clock;
	log: Log;
	/** Loopback. */
	host: string;
	/** 0: any free one. */
	port: number;
	/** Open already, in place of `host` and `port`. */
	listener?: Server | undefined;
	/** @throws DialError */
	dial: (address: string, port: number, client: Client) => Duplex;
	/** Whether balancers may have such an address. */
	serves: (address: string) => boolean;
	/**
	 * Where everything else goes that is asked for: names, and addresses that no balancer has; absent: it is refused. An
	 * error with a code of connect(2) is told to the client.
	 */
	dialOther?:
		| ((host: string, port: number) => Duplex | Promise<Duplex>)
		| undefined;
}

export interface Door {
	/** `127.0.0.1:1080`. */
	address: string;
	close(): Promise<void>;
}

/** Reply codes of RFC 1928, 6. */
const reply = {
	ok: 0,
	failure: 1,
	notAllowed: 2,
	networkUnreachable: 3,
	unreachable: 4,
	refused: 5,
	commandUnknown: 7,
	addressTypeUnknown: 8,
};

const noAuthentication = 0;
const noneAcceptable = 0xff;

/**
 * The way to the balancers' addresses for programs on this machine: a SOCKS5 proxy (RFC 1928) without authentication
 * that connects to balancers and, unless `dialOther` says more, to nothing else.
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
	const { host, port } = options.listener
		? await adopt(server, options.listener)
		: await listen(server, options);
	return {
		address: `${host}:${port}`,
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
): Promise<ListeningAt> {
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
	return { host, port: (server.address() as { port: number }).port };
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
		connect(socket, request, options).catch((error: unknown) => {
			options.log.error({ err: error }, "the door could not answer");
			socket.destroy();
		});
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

async function connect(
	socket: Socket,
	request: Request,
	options: DoorOptions,
): Promise<void> {
	let inside: Duplex;
	try {
		inside = await reach(socket, request, options);
	} catch (error) {
		return refuse(socket, codeFor(error, options.log));
	}
	if (socket.destroyed) return void inside.destroy();
	answer(socket, reply.ok);
	if (request.rest.length > 0) inside.write(request.rest);
	splice(socket, inside, { clock: options.clock });
	socket.resume();
}

/** Refused as one of RFC 1928's codes. */
class NotAllowed extends Error {}

async function reach(
	socket: Socket,
	{ host, port }: Request,
	{ dial, dialOther, serves }: DoorOptions,
): Promise<Duplex> {
	const address = canonicalAddress(host);
	if (address !== undefined && serves(address))
		try {
			return await opened(
				dial(address, port, {
					address: socket.remoteAddress ?? "",
					port: socket.remotePort ?? 0,
				}),
			);
		} catch (error) {
			const nobody =
				error instanceof DialError && error.code === "EHOSTUNREACH";
			if (!nobody || !dialOther) throw error;
		}
	if (dialOther) return opened(await dialOther(address ?? host, port));
	if (address !== undefined) throw new NotAllowed();
	// A name is nobody's address here: whoever knows it resolves it first.
	throw new DialError("EHOSTUNREACH", `nobody here knows ${host}`);
}

/** Resolves once bytes can go over it. */
async function opened(stream: Duplex): Promise<Duplex> {
	if (!(stream instanceof Socket)) return stream;
	stream.allowHalfOpen = true;
	if (stream.connecting) await once(stream, "connect");
	return stream;
}

function codeFor(error: unknown, log: Log): number {
	if (error instanceof NotAllowed) return reply.notAllowed;
	switch ((error as NodeJS.ErrnoException).code) {
		case "ECONNREFUSED":
			return reply.refused;
		case "ENETUNREACH":
			return reply.networkUnreachable;
		case "EHOSTUNREACH":
		case "ETIMEDOUT":
		case "ENOTFOUND":
			return reply.unreachable;
		default:
			log.error({ err: error }, "a client of the door could not be served");
			return reply.failure;
	}
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
