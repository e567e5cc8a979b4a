import http from "node:http";
import https from "node:https";
import { type ErrorCode, FairleadError } from "../errors.ts";
import { oneLine } from "./answers.ts";
import type { Connection, Credentials } from "./connection.ts";

export interface WireRequest {
	method: string;
	/** Below the server's own path, with query. */
	path: string;
	headers: http.OutgoingHttpHeaders;
	body?: string;
	credentials: Credentials;
	signal: AbortSignal;
	/** `METHOD path`, for messages. */
	subject: string;
}

export interface Transport {
	/**
	 * Sends and resolves with the answer's head. `pooled` takes a kept-alive connection if there is one; "fresh" always
	 * opens its own. Aborting destroys the connection, also while the answer's body is read; rejects with the signal's
	 * reason if it came first, else with KubeUnreachable, KubeBadAnswer or KubeUnauthorized (the handshake).
	 */
	send(
		request: WireRequest,
		via: "pooled" | "fresh",
	): Promise<http.IncomingMessage>;
	close(): void;
}

/** Idle connections are closed before a NAT or load balancer on the way forgets them without a word. */
const idleMs = 55_000;
/** Finds a peer that died without closing, under a watch that has nothing to say. */
const keepAliveProbeMs = 30_000;

/** HTTP/1.1 over node:http and node:https: one pool for calls, connections of their own for watches. */
export function createTransport(
	connection: Connection,
	maxSockets: number,
): Transport {
	const secure = connection.server.protocol === "https:";
	const proxy = connection.proxyUrl
		? {
				proxyEnv: {
					HTTP_PROXY: connection.proxyUrl.href,
					HTTPS_PROXY: connection.proxyUrl.href,
				},
			}
		: {};
	const Agent = secure ? https.Agent : http.Agent;
	const agents = {
		pooled: new Agent({
			keepAlive: true,
			keepAliveMsecs: keepAliveProbeMs,
			maxSockets,
			timeout: idleMs,
			...proxy,
		}),
		fresh: new Agent({ keepAlive: false, ...proxy }),
	};
	agents.pooled.getName = poolName;
	const tls: https.RequestOptions = secure
		? {
				rejectUnauthorized: !connection.insecureSkipTlsVerify,
				...(connection.ca ? { ca: connection.ca } : {}),
				...(connection.tlsServerName
					? { servername: connection.tlsServerName }
					: {}),
			}
		: {};
	const { hostname, port } = connection.server;
	const base = connection.server.pathname.replace(/\/+$/, "");

	const open = (request: WireRequest, agent: http.Agent) =>
		new Promise<http.IncomingMessage>((resolve, reject) => {
			const { signal, credentials } = request;
			if (signal.aborted) return reject(signal.reason as Error);
			const options: https.RequestOptions = {
				method: request.method,
				hostname: hostname.replace(/^\[|\]$/g, ""),
				port: port || (secure ? 443 : 80),
				path: base + request.path,
				headers: {
					...connection.headers,
					...request.headers,
					...(credentials.authorization
						? { authorization: credentials.authorization }
						: {}),
				},
				agent,
				...tls,
				...(secure && credentials.certificate
					? { cert: credentials.certificate, key: credentials.key }
					: {}),
			};
			const outgoing = (secure ? https : http).request(options);
			let answer: http.IncomingMessage | undefined;
			const stop = () => {
				// A request still waiting for a connection would report its end only when it gets one.
				reject(signal.reason as Error);
				(answer ?? outgoing).destroy();
			};
			signal.addEventListener("abort", stop, { once: true });
			outgoing.once("close", () => signal.removeEventListener("abort", stop));
			outgoing.once("socket", (socket) =>
				socket.setKeepAlive(true, keepAliveProbeMs),
			);
			outgoing.once("response", (incoming) => {
				// Reported to whoever reads the body; without a listener Node turns it into a mere "premature close".
				incoming.on("error", () => {});
				answer = incoming;
				resolve(incoming);
			});
			outgoing.on("error", (error) =>
				reject(new ConnectionFailed(error, outgoing.reusedSocket)),
			);
			outgoing.end(request.body);
		});

	return {
		async send(request, via) {
			try {
				return await open(request, agents[via]).catch((error: unknown) => {
					// The server may close an idle connection just as we reuse it (RFC 9112, 9.3.1): asking again is right
					// for GET, and what it was doing is unknown for everything else.
					const race =
						error instanceof ConnectionFailed &&
						error.reused &&
						request.method === "GET";
					if (race && resets.has(codeOf(error.cause)))
						return open(request, agents.fresh);
					throw error;
				});
			} catch (error) {
				if (!(error instanceof ConnectionFailed)) throw error;
				throw connectionError(request.subject, connection, error.cause);
			}
		},
		close() {
			agents.pooled.destroy();
			agents.fresh.destroy();
		},
	};
}

/**
 * Names the pool a connection is kept in. All go to one server, so only the client certificate tells them apart; Node's
 * own name holds every option, PEM texts of authorities included, and is put together several times for each request.
 */
function poolName({ cert }: https.RequestOptions = {}): string {
	return typeof cert === "string" ? cert : "";
}

const resets = new Set(["ECONNRESET", "EPIPE"]);

class ConnectionFailed extends Error {
	override readonly cause: Error;
	readonly reused: boolean;
	constructor(cause: Error, reused: boolean) {
		super(cause.message);
		this.cause = cause;
		this.reused = reused;
	}
}

/** The FairleadError for a connection that could not be made, or broke before or in the answer. */
export function connectionError(
	subject: string,
	connection: Pick<Connection, "server">,
	error: unknown,
): FairleadError {
	const code = codeOf(error);
	const where = connection.server.origin;
	const detail = oneLine(describe(error), 200);
	const make = (as: ErrorCode, text: string) =>
		new FairleadError(as, `${subject}: ${text}`, { cause: error });
	// OpenSSL's own words, since what it says on a write arrives as a bare EPROTO.
	const tls = `${code} ${detail}`.toLowerCase().replaceAll("_", " ");
	if (code.startsWith("HPE_") || tls.includes("wrong version number"))
		return make(
			"KubeBadAnswer",
			`${where} does not speak ${where.split(":")[0]}: ${detail}`,
		);
	// TLS 1.3 servers that insist on a client certificate refuse it by an alert after the handshake.
	if (/alert (.*certificate|unknown ca|access denied)/.test(tls))
		return make(
			"KubeUnauthorized",
			`${where} refuses the client certificate: ${detail}`,
		);
	if (/CERT|SIGNATURE|ISSUER/.test(code))
		return make(
			"KubeUnreachable",
			`the certificate of ${where} is not trusted: ${detail}; check certificate-authority and tls-server-name`,
		);
	return make("KubeUnreachable", `no answer from ${where}: ${detail}`);
}

/** Trying the addresses of a name one after the other fails with an AggregateError, whose own message is empty. */
function describe(error: unknown): string {
	const { message, errors } = (error ?? {}) as Partial<AggregateError>;
	if (errors?.length) return errors.map(describe).join(", ");
	return message || codeOf(error) || String(error);
}

function codeOf(error: unknown): string {
	const code = (error as NodeJS.ErrnoException | undefined)?.code;
	return typeof code === "string" ? code : "";
}
