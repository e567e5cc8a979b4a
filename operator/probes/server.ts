import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import type { Registry } from "prom-client";
import { FairleadError } from "../errors.ts";

/** Why a role is not ready; empty when it is. */
export type NotReady = () => string[];

export interface ProbeServerOptions {
	host: string;
	/** 0: any free port. */
	port: number;
	metrics: Registry;
	notReady: NotReady;
}

export interface ProbeServer {
	port: number;
	close(): Promise<void>;
}

/**
 * Serves /livez, /readyz and /metrics for a long-running role. /livez answers while the event loop turns; /readyz
 * answers 503 with one reason a line while the role cannot do its work. Throws ListenFailed.
 */
export async function startProbeServer(
	options: ProbeServerOptions,
): Promise<ProbeServer> {
	const app = express().disable("x-powered-by");
	app.get("/livez", (_request, response) => {
		response.type("text/plain").send("ok\n");
	});
	app.get("/readyz", (_request, response) => {
		const reasons = options.notReady();
		response
			.status(reasons.length === 0 ? 200 : 503)
			.type("text/plain")
			.send(reasons.length === 0 ? "ok\n" : `${reasons.join("\n")}\n`);
	});
	app.get("/metrics", async (_request, response) => {
		response
			.type(options.metrics.contentType)
			.send(await options.metrics.metrics());
	});
	const server = createServer(app);
	await listen(server, options.host, options.port);
	return {
		port: (server.address() as AddressInfo).port,
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}

/** Binds a server, or throws ListenFailed with one line that names the address and what is wrong with it. */
export function listen(
	server: Server,
	host: string,
	port: number,
): Promise<void> {
	return new Promise((resolve, reject) => {
		const failed = (cause: NodeJS.ErrnoException) =>
			reject(
				new FairleadError(
					"ListenFailed",
					`cannot listen on ${host}:${port}: ${why(cause)}`,
					{ cause },
				),
			);
		server.once("error", failed);
		server.listen(port, host, () => {
			server.off("error", failed);
			resolve();
		});
	});
}

function why(error: NodeJS.ErrnoException): string {
	switch (error.code) {
		case "EADDRINUSE":
			return "the port is taken";
		case "EACCES":
			return "the port needs privileges";
		case "EADDRNOTAVAIL":
		case "ENOTFOUND":
			return "this machine has no such address";
		default:
			return error.message;
	}
}
