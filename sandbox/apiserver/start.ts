import { createServer } from "node:https";
import type { Server } from "node:net";
import type { Clock } from "../../operator/clock.ts";
import { FairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";
import type { PodAccess } from "../kubelet/pod-access.ts";
import { issueCertificate, type KeyPair, newAuthority } from "./certificate.ts";
import type { Context } from "./context.ts";
import { crdCollection, customKinds } from "./crds/custom-kinds.ts";
import { collectGarbage } from "./garbage.ts";
import { Listeners } from "./listeners.ts";
import { emptyNamespaces } from "./namespaces.ts";
import { builtInKinds, Kinds } from "./kinds.ts";
import { type Advertised, populate } from "./populate.ts";
import { serve, serveUpgrade } from "./server.ts";
import { ServiceAllocators } from "./services/allocate.ts";
import { type Cidr, formatIp, parseCidr } from "./services/ip.ts";
import { serviceStrategy } from "./services/strategy.ts";
import type { JsonObject } from "./schema/decode.ts";
import { FileJournal } from "./journal.ts";
import { Store } from "./store.ts";

export interface ApiServerOptions {
	/** Loopback unless somebody decides otherwise. */
	host: string;
	/** 0: any free port. */
	port: number;
	/**
	 * Already listening, made by another process: taken instead of opening `host` and `port`, which then only name the
	 * server to its clients. Connections are answered from this call on; `close` closes it.
	 */
	listener?: Server;
	/** Further sockets that listen already, in whatever network namespace (`listenIn`). */
	also?: readonly { fd: number }[];
	/** Where the Service `kubernetes` leads; absent: it has no endpoints. */
	advertise?: Advertised;
	/** Further host names and addresses the certificate shall hold. */
	names?: string[];
	/** User names by bearer token; an admin token is always added. */
	tokens?: Record<string, string>;
	/** First one IPv4 or IPv6 CIDR, then possibly one of the other family; default 10.96.0.0/16. */
	serviceCidrs?: string[];
	nodePorts?: { first: number; last: number };
	/** CustomResourceDefinitions to begin with. */
	crds?: object[];
	/**
	 * Where objects, the authority and the admin's token are kept over restarts; made when missing. Absent: in memory
	 * only. A folder that cannot be used is StoreUnusable.
	 */
	dataDir?: string;
	/** Answers for logs, commands and ports of pods; absent: requests for them are refused. */
	podAccess?: PodAccess;
	/** How many changes of each kind a watch may lag behind; default 10,000. */
	watchHistory?: number;
	clock: Clock;
	random: (bytes: number) => Uint8Array;
	log: Log;
}

export interface ApiServer {
	url: string;
	/** PEM of the authority that signed the server's certificate. */
	ca: string;
	adminToken: string;
	/** A kubeconfig for the admin, as YAML (which JSON is). */
	kubeconfig(): string;
	/** Ends watches, closes connections and frees the port. */
	close(): Promise<void>;
}

/**
 * Starts a Kubernetes API server: HTTPS with a certificate of its own making. Throws ListenFailed if
 * the port is taken or the host is not this machine's.
 */
export async function startApiServer(
	options: ApiServerOptions,
): Promise<ApiServer> {
	const journal = options.dataDir
		? new FileJournal(options.dataDir)
		: undefined;
	try {
		return await start(options, journal);
	} catch (error) {
		journal?.close();
		throw error;
	}
}

async function start(
	options: ApiServerOptions,
	journal: FileJournal | undefined,
): Promise<ApiServer> {
	const { host, clock, random, log } = options;
	const serviceCidrs = cidrs(options.serviceCidrs ?? ["10.96.0.0/16"]);
	const allocators = new ServiceAllocators({
		serviceCidrs,
		nodePorts: options.nodePorts ?? { first: 30000, last: 32767 },
		random,
	});
	const kept = (name: string, make: () => string) =>
		journal ? journal.secret(name, make) : make();
	const context: Context = {
		store: new Store({ historyLimit: options.watchHistory ?? 10_000, journal }),
		kinds: new Kinds([]),
		clock,
		random,
		log,
	};
	const builtIn = builtInKinds(serviceStrategy(allocators), {});
	context.kinds.set(builtIn);
	const undo = [
		customKinds(context, builtIn),
		collectGarbage(context),
		emptyNamespaces(context),
	];
	const [cidr] = serviceCidrs as [Cidr];
	const serviceIp = formatIp(cidr.base + 1n, cidr.family);
	context.store.replay(crdCollection);
	for (const [, service] of context.store.list("services"))
		allocators.hold(service as JsonObject);
	const authority = JSON.parse(
		kept("authority", () => JSON.stringify(newAuthority(clock.now(), random))),
	) as KeyPair;
	const { cert, key } = issueCertificate(
		authority,
		[
			"localhost",
			"127.0.0.1",
			"::1",
			...new Set([
				...["", ".default", ".default.svc", ".default.svc.cluster.local"].map(
					(end) => `kubernetes${end}`,
				),
				serviceIp,
				host,
				...(options.advertise ? [options.advertise.address] : []),
				...(options.names ?? []),
			]),
		],
		clock.now(),
		random,
	);

	const adminToken = kept("admin-token", () =>
		Buffer.from(random(24)).toString("hex"),
	);
	const closing = new AbortController();
	const populated = Promise.withResolvers<void>();
	const server = createServer({ key, cert });
	const tokens = new Map(Object.entries(options.tokens ?? {}));
	tokens.set(adminToken, "fairlead:admin");
	const serving = {
		context,
		tokens,
		address: "",
		podAccess: options.podAccess,
		closing: closing.signal,
	};
	server.on("request", (request, response) => {
		void populated.promise.then(() => serve(serving, request, response));
	});
	server.on("upgrade", (request, socket, head) => {
		void populated.promise.then(() =>
			serveUpgrade(serving, { request, socket, head }),
		);
	});
	const listeners = await Listeners.open(options, (socket) =>
		server.emit("connection", socket),
	);
	const { port } = listeners;
	serving.address = host.includes(":")
		? `[${host}]:${port}`
		: `${host}:${port}`;
	const url = `https://${serving.address}`;
	populate(context, {
		serviceIp,
		port: options.advertise?.port ?? port,
		advertise: options.advertise,
		crds: options.crds ?? [],
	});
	populated.resolve();
	return {
		url,
		ca: authority.cert,
		adminToken,
		kubeconfig: () => kubeconfig(url, authority.cert, adminToken),
		async close() {
			for (const stop of undo) stop();
			closing.abort();
			await listeners.close();
			journal?.close();
		},
	};
}

function cidrs(texts: string[]) {
	return texts.map((text) => {
		const cidr = parseCidr(text);
		if (!cidr)
			throw new FairleadError(
				"FlagInvalid",
				`service CIDR ${JSON.stringify(text)} is not of the form 10.96.0.0/16`,
			);
		return cidr;
	});
}

function kubeconfig(server: string, ca: string, token: string): string {
	const name = "fairlead-sandbox";
	return `${JSON.stringify(
		{
			apiVersion: "v1",
			kind: "Config",
			clusters: [
				{
					name,
					cluster: {
						server,
						"certificate-authority-data": Buffer.from(ca).toString("base64"),
					},
				},
			],
			users: [{ name, user: { token } }],
			contexts: [{ name, context: { cluster: name, user: name } }],
			"current-context": name,
		},
		null,
		2,
	)}\n`;
}
