import { type IncomingMessage, request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../../../operator/clock.ts";
import type { HealthCheck, HealthCheckHttp } from "../../store/records.ts";
import { type EngineNetwork, engineNetwork } from "../network.ts";

/** Undefined when the target is well; else what failed, in Hetzner's word and for people. */
export type ProbeResult =
	| { detail: string; message: string; httpStatus: number | null }
	| undefined;

export type Probe = (
	address: string,
	check: HealthCheck,
	signal: AbortSignal,
) => Promise<ProbeResult>;

/** Enough of an answer to look for `response` in. */
const bodyLimit = 64 * 1024;

/** How long a checked connection waits for the target to close it, too. */
const lingerMs = 1_000;

type Connect = EngineNetwork["connect"];

/** Checks a target once, over the network. Rejects only when aborted. */
export function networkProbe(
	clock: Clock,
	{ connect }: Pick<EngineNetwork, "connect"> = engineNetwork(),
): Probe {
	return async (address, check, signal) => {
		const limit = new AbortController();
		const cancel = clock.after(check.timeout * 1000, () => limit.abort());
		const both = AbortSignal.any([signal, limit.signal]);
		const where = `${address.includes(":") ? `[${address}]` : address}:${check.port}`;
		try {
			return await (check.protocol === "http" && check.http
				? httpProbe(connect, address, check.port, check.http, both)
				: tcpProbe(connect, address, check.port, both));
		} catch (error) {
			signal.throwIfAborted();
			const [detail, message] = limit.signal.aborted
				? [
						check.protocol === "http" ? "layer7_timeout" : "layer4_timeout",
						`no answer within ${check.timeout} s`,
					]
				: ["layer4_no_connection", (error as Error).message];
			return { detail, message: `${where}: ${message}`, httpStatus: null };
		} finally {
			cancel();
		}
	};
}

function tcpProbe(
	connect: Connect,
	host: string,
	port: number,
	signal: AbortSignal,
): Promise<undefined> {
	return new Promise((resolve, reject) => {
		const socket = until(signal, connect({ host, port }));
		socket.on("connect", () => {
			// Closed, not reset: a target that greets its clients must not take a check for an error.
			socket
				.end()
				.resume()
				.setTimeout(lingerMs, () => socket.destroy())
				.unref();
			resolve(undefined);
		});
		socket.on("error", reject);
	});
}

/** Destroys the socket when `signal` is aborted. */
function until(signal: AbortSignal, socket: Socket): Socket {
	const abort = () => socket.destroy(new Error("aborted"));
	if (signal.aborted) abort();
	signal.addEventListener("abort", abort, { once: true });
	return socket.once("close", () => signal.removeEventListener("abort", abort));
}

function secured(socket: Socket): Duplex {
	// What a health check reaches is named by address: no certificate can be for it.
	const tls = connectTls({ socket, rejectUnauthorized: false });
	socket.on("error", (error) => tls.destroy(error));
	return tls;
}

async function httpProbe(
	connect: Connect,
	host: string,
	port: number,
	http: HealthCheckHttp,
	signal: AbortSignal,
): Promise<ProbeResult> {
	const response = await new Promise<IncomingMessage>((resolve, reject) => {
		const headers = {
			...(http.domain && { Host: http.domain }),
			Connection: "close",
		};
		httpRequest(
			{
				host,
				port,
				path: http.path,
				headers,
				signal,
				defaultPort: http.tls ? 443 : 80,
				createConnection() {
					const socket = until(signal, connect({ host, port }));
					return http.tls ? secured(socket) : socket;
				},
			},
			resolve,
		)
			.on("error", reject)
			.end();
	});
	const status = response.statusCode ?? 0;
	const chunks: Buffer[] = [];
	let size = 0;
	for await (const chunk of response as AsyncIterable<Buffer>) {
		chunks.push(chunk);
		size += chunk.length;
		if (size > bodyLimit || http.response === "") break;
	}
	response.destroy();
	if (!http.status_codes.some((pattern) => matchesStatus(pattern, status)))
		return {
			detail: "unexpected_http_status",
			message: `answered ${status}, expected ${http.status_codes.join(" or ")}`,
			httpStatus: status,
		};
	if (!Buffer.concat(chunks).includes(http.response))
		return {
			detail: "unexpected_http_content",
			message: `the answer does not contain ${JSON.stringify(http.response)}`,
			httpStatus: null,
		};
	return undefined;
}

/** `2??` is any status from 200 to 299; `*` stands for any rest. */
export function matchesStatus(pattern: string, status: number): boolean {
	const expression = pattern.replaceAll("?", "\\d").replaceAll("*", "\\d*");
	return new RegExp(`^${expression}$`).test(String(status));
}
