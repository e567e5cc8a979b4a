import type { AddressInfo, ListenOptions, Server } from "node:net";
import { FairleadError } from "../errors.ts";

/**
 * Binds a server and resolves with its port. Throws ListenFailed, one line that names the address and what is wrong
 * with it.
 */
export function listen(
	server: Server,
	host: string,
	port: number,
): Promise<number> {
	return bind(server, { host, port }, `${host}:${port}`);
}

/**
 * As `listen`; 0.0.0.0 and :: are each all addresses of both families, as for kube-proxy (k8s.io/kubernetes,
 * pkg/proxy/healthcheck).
 */
export function listenOnNode(
	server: Server,
	host: string,
	port: number,
): Promise<number> {
	const everywhere = host === "0.0.0.0" || host === "::";
	// Without a host Node takes both families, or IPv4 where the machine has no IPv6.
	const where = everywhere ? { port } : { host, port };
	return bind(server, where, `${host}:${port}`);
}

function bind(
	server: Server,
	where: ListenOptions,
	called: string,
): Promise<number> {
	return new Promise((resolve, reject) => {
		const failed = (cause: NodeJS.ErrnoException) =>
			reject(listenFailed(called, cause));
		server.once("error", failed);
		server.listen(where, () => {
			server.off("error", failed);
			resolve((server.address() as AddressInfo).port);
		});
	});
}

/** `where` is what could not be listened on, as the message shall say it. */
export function listenFailed(
	where: string,
	cause: NodeJS.ErrnoException,
): FairleadError {
	return new FairleadError(
		"ListenFailed",
		`cannot listen on ${where}: ${why(cause)}`,
		{ cause },
	);
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
