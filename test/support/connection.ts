import type { Connection } from "../../operator/cluster/connection.ts";

/** A connection to `server` that needs no credentials, but for what `more` says. */
export function plainConnection(
	server: string,
	more: Partial<Connection> = {},
): Connection {
	return {
		server: new URL(server),
		insecureSkipTlsVerify: false,
		disableCompression: false,
		headers: {},
		namespace: "default",
		credentials: () => Promise.resolve({}),
		...more,
	};
}
