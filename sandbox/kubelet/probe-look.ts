import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { Container, Probe } from "../../operator/api/core.ts";
import type { Clock } from "../../operator/clock.ts";

/** One look: what a probe found, in the kubelet's words; or why it could not look at all. */
export type Look = { ok: boolean; message: string } | { problem: string };

export interface ProbeTarget {
	container: Container;
	podIP: string;
	/** A connection from the node. */
	connect: (target: { host: string; port: number }) => Socket;
	/** Runs a command beside the container; the look is given up when `signal` is aborted. */
	exec: (
		command: readonly string[],
		signal: AbortSignal,
	) => Promise<{ exitCode: number; output: string } | { problem: string }>;
	clock: Clock;
}

/** Looks once (pkg/probe); never rejects. */
export async function look(probe: Probe, target: ProbeTarget): Promise<Look> {
	const timeoutMs = Math.min(probe.timeoutSeconds || 1, 1_000_000) * 1000;
	const late = new AbortController();
	const cancel = target.clock.after(timeoutMs, () => late.abort());
	try {
		if (probe.exec)
			return await execLook(
				probe.exec.command ?? [],
				timeoutMs,
				target,
				late.signal,
			);
		if (probe.httpGet)
			return await httpLook(probe.httpGet, target, late.signal);
		if (probe.tcpSocket)
			return await tcpLook(probe.tcpSocket, target, late.signal);
		return {
			problem: `missing probe handler for ${target.container.name}: the sandbox knows httpGet, tcpSocket and exec`,
		};
	} finally {
		cancel();
	}
}

async function execLook(
	command: readonly string[],
	timeoutMs: number,
	{ exec }: ProbeTarget,
	signal: AbortSignal,
): Promise<Look> {
	const result = await exec(command, signal);
	if (signal.aborted)
		return {
			ok: false,
			message: `command timed out: ${JSON.stringify(command.join(" "))} timed out after ${timeoutMs / 1000}s`,
		};
	if ("problem" in result) return result;
	return { ok: result.exitCode === 0, message: result.output };
}

function httpLook(
	get: NonNullable<Probe["httpGet"]>,
	target: ProbeTarget,
	signal: AbortSignal,
): Promise<Look> {
	const port = portOf(get.port, target.container);
	if (typeof port === "string") return Promise.resolve({ problem: port });
	const host = get.host ?? target.podIP;
	const secure = get.scheme === "HTTPS";
	const path = `/${(get.path ?? "/").replace(/^\//, "")}`;
	const url = `${secure ? "https" : "http"}://${authority(host, port)}${path}`;
	return new Promise((resolve) => {
		const socket = target.connect({ host, port });
		// A failing socket must never be without somebody who listens, whatever becomes of the request.
		socket.on("error", () => {});
		const failed = (error: Error) =>
			resolve({
				ok: false,
				message: `Get ${JSON.stringify(url)}: ${signal.aborted ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" : dialError(error, host, port)}`,
			});
		const request = (secure ? httpsRequest : httpRequest)({
			method: "GET",
			path,
			host,
			port,
			headers: {
				"user-agent": "kube-probe/1.37",
				accept: "*/*",
				connection: "close",
				...Object.fromEntries(
					(get.httpHeaders ?? []).map(({ name, value }) => [
						name.toLowerCase(),
						value,
					]),
				),
			},
			// Like the kubelet, it looks whether somebody answers, not who.
			createConnection: () =>
				secure ? tlsConnect({ socket, rejectUnauthorized: false }) : socket,
		});
		request.on("error", failed);
		request.on("response", (response) => {
			const code = response.statusCode ?? 0;
			socket.destroy();
			resolve(
				code >= 200 && code < 400
					? { ok: true, message: "" }
					: {
							ok: false,
							message: `HTTP probe failed with statuscode: ${code}`,
						},
			);
		});
		signal.addEventListener(
			"abort",
			() => {
				request.destroy(new Error("late"));
				socket.destroy();
			},
			{ once: true },
		);
		request.end();
	});
}

function tcpLook(
	tcp: NonNullable<Probe["tcpSocket"]>,
	target: ProbeTarget,
	signal: AbortSignal,
): Promise<Look> {
	const port = portOf(tcp.port, target.container);
	if (typeof port === "string") return Promise.resolve({ problem: port });
	const host = tcp.host ?? target.podIP;
	return new Promise((resolve) => {
		const socket = target.connect({ host, port });
		const end = (result: Look) => {
			socket.destroy();
			resolve(result);
		};
		socket.on("connect", () => end({ ok: true, message: "" }));
		socket.on("error", (error) =>
			end({ ok: false, message: dialError(error, host, port) }),
		);
		signal.addEventListener("abort", () =>
			end({
				ok: false,
				message: `dial tcp ${authority(host, port)}: i/o timeout`,
			}),
		);
	});
}

/** The number of a port, or why there is none. */
function portOf(port: number | string, container: Container): number | string {
	if (typeof port === "number") return port;
	const named = container.ports?.find(({ name }) => name === port);
	if (named) return named.containerPort;
	const number = Number(port);
	if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
	return `couldn't find port: ${port}`;
}

function dialError(error: Error, host: string, port: number): string {
	const code = (error as NodeJS.ErrnoException).code ?? "";
	const words: Record<string, string> = {
		ECONNREFUSED: "connect: connection refused",
		EHOSTUNREACH: "connect: no route to host",
		ENETUNREACH: "connect: network is unreachable",
	};
	if (words[code]) return `dial tcp ${authority(host, port)}: ${words[code]}`;
	if (code === "ECONNRESET") return "EOF";
	return error.message;
}

function authority(host: string, port: number): string {
	return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
