import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";

/** What proves who we are; strings so that two can be compared. */
export interface Credentials {
	/** Value of the Authorization header. */
	authorization?: string;
	/** Client certificate chain and its key, PEM. */
	certificate?: string;
	key?: string;
}

/** Where an API server is and how to be let in, whatever file that was read from. */
export interface Connection {
	/** http: or https:, possibly with a path below which the API lies. */
	server: URL;
	/** PEM; the system's authorities if absent. */
	ca?: string;
	insecureSkipTlsVerify: boolean;
	tlsServerName?: string;
	/** http: or https:, asked to CONNECT. */
	proxyUrl?: URL;
	disableCompression: boolean;
	/** Sent with every request: Impersonate-… */
	headers: Record<string, string | string[]>;
	/** The context's namespace, "default" if it names none. */
	namespace: string;
	/**
	 * Credentials as of now: files are read again each minute, an exec plugin runs again when what it gave expires.
	 * `refused`: what the server did not accept; if nothing newer is known by then, it is renewed at once. Throws
	 * KubeUnauthorized or KubeconfigInvalid when an exec plugin cannot give any.
	 */
	credentials(refused?: Credentials): Promise<Credentials>;
}

export function sameCredentials(a: Credentials, b: Credentials): boolean {
	return (
		a.authorization === b.authorization &&
		a.certificate === b.certificate &&
		a.key === b.key
	);
}

/** What credentials that are read again need. */
export interface CredentialSources {
	clock: Clock;
	log: Log;
}
