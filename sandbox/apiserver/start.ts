import { createServer } from "node:https";
import type { Socket } from "node:net";
import type { Clock } from "../../operator/clock.ts";
import { FairleadError } from "../../operator/errors.ts";
import type { Log } from "../../operator/log.ts";
import { listen } from "../../operator/probes/listen.ts";
import { issueCredentials } from "./certificate.ts";
import { type Context, internalCall } from "./context.ts";
import { customKinds } from "./crds/custom-kinds.ts";
import { collectGarbage } from "./garbage.ts";
import { emptyNamespaces } from "./namespaces.ts";
import { builtInKinds, Kinds } from "./kinds.ts";
import { createObject } from "./writes.ts";
import { type Connect, serve } from "./server.ts";
import { ServiceAllocators } from "./services/allocate.ts";
import { type Cidr, formatIp, parseCidr } from "./services/ip.ts";
import { serviceStrategy } from "./services/strategy.ts";
import { Store } from "./store.ts";
import type { JsonObject } from "./schema/decode.ts";
import { readObject } from "./body.ts";

export interface ApiServerOptions {
	/** Loopback unless somebody decides otherwise. */
	host: string;
	/** 0: any free port. */
	port: number;
	/** Further host names and addresses the certificate shall hold. */
	names?: string[];
	/** User names by bearer token; an admin token is always added. */
	tokens?: Record<string, string>;
	/** First one IPv4 or IPv6 CIDR, then possibly one of the other family; default 10.96.0.0/16. */
	serviceCidrs?: string[];
	nodePorts?: { first: number; last: number };
	/** CustomResourceDefinitions to begin with. */
	crds?: object[];
	/** By `plural/subresource`: subresources that live outside the server, for instance `pods/log`. */
	connect?: Record<string, Connect>;
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

const namespaces = ["default", "kube-node-lease", "kube-public", "kube-system"];

/**
 * Starts a Kubernetes API server: objects in memory, HTTPS with a certificate of its own making. Throws ListenFailed if
 * the port is taken or the host is not this machine's.
 */
export async function startApiServer(
	options: ApiServerOptions,
): Promise<ApiServer> {
	const { host, clock, random, log } = options;
	const credentials = issueCredentials(
		[
			"localhost",
			"127.0.0.1",
			"::1",
			...new Set([host, ...(options.names ?? [])]),
		],
		clock.now(),
		random,
	);
	const serviceCidrs = cidrs(options.serviceCidrs ?? ["10.96.0.0/16"]);
	const allocators = new ServiceAllocators({
		serviceCidrs,
		nodePorts: options.nodePorts ?? { first: 30000, last: 32767 },
		random,
	});
	const context: Context = {
		store: new Store({ historyLimit: options.watchHistory ?? 10_000 }),
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
	populate(context, options, serviceCidrs[0] as Cidr);

	const adminToken = Buffer.from(random(24)).toString("hex");
	const closing = new AbortController();
	const server = createServer({ key: credentials.key, cert: credentials.cert });
	const sockets = new Set<Socket>();
	server.on("connection", (socket) => {
		sockets.add(socket);
		socket.on("close", () => sockets.delete(socket));
	});
	const port = await listen(server, host, options.port);
	const authority = host.includes(":")
		? `[${host}]:${port}`
		: `${host}:${port}`;
	const url = `https://${authority}`;
	const tokens = new Map(Object.entries(options.tokens ?? {}));
	tokens.set(adminToken, "fairlead:admin");
	server.on("request", (request, response) => {
		void serve(
			{
				context,
				tokens,
				address: authority,
				connect: new Map(Object.entries(options.connect ?? {})),
				closing: closing.signal,
			},
			request,
			response,
		);
	});
	return {
		url,
		ca: credentials.ca,
		adminToken,
		kubeconfig: () => kubeconfig(url, credentials.ca, adminToken),
		async close() {
			for (const stop of undo) stop();
			closing.abort();
			await new Promise<void>((resolve) => {
				server.close(() => resolve());
				server.closeIdleConnections();
				for (const socket of sockets) socket.destroySoon();
			});
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

/** What every cluster has from its first second; the address the Service `kubernetes` leads to is for others to say. */
function populate(
	context: Context,
	options: ApiServerOptions,
	cidr: Cidr,
): void {
	const create = (
		group: string,
		plural: string,
		object: JsonObject,
		namespace?: string,
	) => {
		const kind = context.kinds.find(group, "v1", plural);
		if (!kind) throw new Error(`no kind ${plural}.${group}`);
		createObject(
			context,
			{
				...internalCall(kind, "create", namespace, undefined),
				userAgent: "kube-apiserver",
			},
			readObject(kind, object, "Strict", () => {}),
		);
	};
	for (const name of namespaces)
		create("", "namespaces", { metadata: { name } });
	create(
		"",
		"services",
		{
			metadata: {
				name: "kubernetes",
				labels: { component: "apiserver", provider: "kubernetes" },
			},
			spec: {
				clusterIP: formatIp(cidr.base + 1n, cidr.family),
				ports: [{ name: "https", port: 443, targetPort: options.port || 6443 }],
			},
		},
		"default",
	);
	for (const crd of options.crds ?? [])
		create(
			"apiextensions.k8s.io",
			"customresourcedefinitions",
			crd as JsonObject,
		);
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
