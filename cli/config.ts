import { z } from "zod";
import {
	address,
	addresses,
	addressIfGiven,
	cidrs,
	dnsLabel,
	dnsZone,
	duration,
	ipAddresses,
	port,
	portIfGiven,
	portRange,
	text,
	wholeNumber,
} from "./flag-values.ts";
import type { Flags } from "./flags.ts";

/** Every flag of every command: the one place that says what is allowed. */

const logLevel = {
	schema: z
		.enum(["trace", "debug", "info", "warn", "error"], {
			error: "must be one of trace, debug, info, warn, error",
		})
		.default("info"),
	value: "LEVEL",
	help: "Least important log lines to write: trace, debug, info, warn or error",
};

export const kubeconfig = {
	schema: text.optional(),
	value: "FILE",
	help: "Kubeconfig; else $KUBECONFIG, ~/.kube/config, or the pod's service account",
};

/** As the API server's flag --service-node-port-range takes it. */
export const nodePortRange = {
	schema: portRange,
	value: "FIRST-LAST",
	help: "NodePorts of the cluster: the API server's --service-node-port-range, which it tells nobody",
};

export const controllerFlags = {
	kubeconfig,
	context: {
		schema: text.optional(),
		value: "NAME",
		help: "Context of the kubeconfig, if not its current one",
	},
	namespace: {
		schema: dnsLabel("namespace").default("fairlead-system"),
		value: "NAME",
		help: "Namespace of the leader's Lease and the agents'",
	},
	"leader-elect": {
		schema: z.boolean().default(true),
		help: "Act without holding a Lease: only where a single controller runs",
	},
	"cluster-id": {
		schema: z
			.string()
			.regex(
				/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
				"must be a label value: at most 63 of A-Z, a-z, 0-9, -, _ and .",
			)
			.optional(),
		value: "ID",
		help: "Marks this cluster's balancers in the cloud; else the UID of namespace kube-system",
	},
	workers: {
		schema: wholeNumber(1, 256, 24),
		value: "N",
		help: "Services worked on at the same time",
	},
	"node-port-range": nodePortRange,
	"audit-schedule": {
		schema: text.default("*/10 * * * *"),
		value: "CRON",
		help: "When to compare what the cloud has with what it should have",
	},
	"delete-orphans": {
		schema: z.boolean().default(false),
		help: "Delete this cluster's balancers that no Service has, instead of only naming them; needs --cluster-id",
	},
	"orphan-grace": {
		schema: duration("10m"),
		value: "DURATION",
		help: "How long a balancer has no Service, and exists, before it is deleted",
	},
	"confirm-orphans": {
		schema: wholeNumber(0, 1_000_000, 0),
		value: "N",
		help: "Delete up to N orphans at once, also when they are more than 3 and more than a tenth of all",
	},
	"metrics-host": {
		schema: text.default("127.0.0.1"),
		value: "HOST",
		help: "Where /livez, /readyz and /metrics listen",
	},
	"metrics-port": {
		schema: port(9090),
		value: "PORT",
		help: "Port of /livez, /readyz and /metrics; 0 takes any free one",
	},
	"log-level": logLevel,
} satisfies Flags;

export const agentFlags = {
	"node-port-range": nodePortRange,
	node: {
		schema: text.optional(),
		value: "NAME",
		help: "Name of this machine's Node object",
	},
	kubeconfig,
	context: {
		schema: text.optional(),
		value: "NAME",
		help: "Context of the kubeconfig, if not its current one",
	},
	namespace: {
		schema: dnsLabel("namespace").default("fairlead-system"),
		value: "NAME",
		help: "Namespace of the Lease by which the controller hears of this node",
	},
	rules: {
		schema: z
			.enum(["full", "balancers", "audit", "off"], {
				error: "must be full, balancers, audit or off",
			})
			.default("full"),
		value: "MODE",
		help: "full: carry every Service, instead of kube-proxy; balancers: beside kube-proxy, only what Fairlead assigned; audit: write nothing, and say where kube-proxy's rules are not what they should be; off: leave all to another proxy",
	},
	once: {
		schema: z.boolean().default(false),
		help: "With --rules audit: compare once, print what was found, and end with 0 or, where something was found, 3",
	},
	output: {
		schema: z
			.enum(["text", "json"], { error: "must be text or json" })
			.default("text"),
		value: "FORMAT",
		short: "o",
		help: "What --once prints: text or json",
	},
	cleanup: {
		schema: z.boolean().default(false),
		help: "Take Fairlead's rules away from this machine, and end",
	},
	"nodeport-addresses": {
		schema: z
			.union([z.literal("primary"), cidrs], {
				error: "must be primary, or CIDRs with commas between",
			})
			.default("primary"),
		value: "CIDRS",
		help: "Where NodePorts are served: the node's primary addresses, or those of its addresses in these CIDRs",
	},
	"cluster-cidr": {
		schema: cidrs.optional(),
		value: "CIDRS",
		help: "Addresses of all pods; else those of this node's pods, from its Node object",
	},
	"masquerade-all": {
		schema: z.boolean().default(false),
		help: "Masquerade everything that goes to a ClusterIP",
	},
	"healthz-address": {
		schema: addressIfGiven,
		value: "HOST:PORT",
		help: "Where balancers ask for this node's /healthz, 0.0.0.0:10256 if not given, or nowhere with --rules balancers: kube-proxy answers there; its host also serves healthCheckNodePorts",
	},
	"metrics-host": {
		schema: text.default("127.0.0.1"),
		value: "HOST",
		help: "Where /livez, /readyz and /metrics listen",
	},
	"metrics-port": {
		schema: port(9091),
		value: "PORT",
		help: "Port of /livez, /readyz and /metrics; 0 takes any free one",
	},
	"log-level": logLevel,
} satisfies Flags;

export const dnsFlags = {
	kubeconfig,
	context: {
		schema: text.optional(),
		value: "NAME",
		help: "Context of the kubeconfig, if not its current one",
	},
	listen: {
		schema: addresses().default([{ host: "127.0.0.1", port: 53 }]),
		value: "IP:PORT",
		help: "Where to answer, over UDP and TCP; several with commas between",
	},
	zone: {
		schema: dnsZone("zone").default("cluster.local"),
		value: "ZONE",
		help: "The cluster's zone",
	},
	"external-zone": {
		schema: dnsZone("zone").optional(),
		value: "ZONE",
		help: "Zone of the balancers' addresses, NAME.NAMESPACE.ZONE; without it there is none",
	},
	upstream: {
		schema: addresses(53).optional(),
		value: "IP[:PORT]",
		help: "Resolvers for all other names, with commas between; without them those are refused",
	},
	pods: {
		schema: z
			.enum(["insecure", "disabled"], {
				error: "must be insecure or disabled",
			})
			.default("insecure"),
		value: "MODE",
		help: "Names of pods, 1-2-3-4.NAMESPACE.pod.ZONE: insecure (the address they spell) or disabled",
	},
	ttl: {
		schema: wholeNumber(0, 3600, 5),
		value: "SECONDS",
		help: "How long clients may keep an answer",
	},
	address: {
		schema: ipAddresses.optional(),
		value: "IP",
		help: "Where clients find this server, if not where it listens: the cluster IP of its Service",
	},
	"metrics-host": {
		schema: text.default("127.0.0.1"),
		value: "HOST",
		help: "Where /livez, /readyz and /metrics listen",
	},
	"metrics-port": {
		schema: port(9153),
		value: "PORT",
		help: "Port of /livez, /readyz and /metrics; 0 takes any free one",
	},
	"log-level": logLevel,
} satisfies Flags;

export const fakeCloudFlags = {
	listen: {
		schema: address("127.0.0.1:8080"),
		value: "HOST:PORT",
		help: "Where API and dashboard listen",
	},
	data: {
		schema: text.optional(),
		value: "DIR",
		help: "Directory of the database; without it everything is forgotten at the end",
	},
	"token-file": {
		schema: text.optional(),
		value: "FILE",
		help: "API tokens, one `TOKEN [PROJECT [read]]` a line; without it a token is made and printed",
	},
	kubeconfig: {
		schema: text.optional(),
		value: "FILE",
		help: "Cluster whose waiting Services the dashboard explains",
	},
	namespace: {
		schema: dnsLabel("namespace").default("fairlead-system"),
		value: "NAME",
		help: "Namespace in which that cluster runs Fairlead",
	},
	door: {
		schema: portIfGiven,
		value: "PORT",
		help: "Port of the SOCKS5 door to the balancers' addresses; else any free one",
	},
	"log-level": logLevel,
} satisfies Flags;

export const sandboxFlags = {
	nodes: {
		schema: wholeNumber(0, 50, 3),
		value: "N",
		help: "Nodes of the cluster",
	},
	port: {
		schema: portIfGiven,
		value: "PORT",
		help: "Port of the Kubernetes API; else 6443 or the next free one",
	},
	"cloud-port": {
		schema: portIfGiven,
		value: "PORT",
		help: "Port of the cloud's API and dashboard; else 8080 or the next free one",
	},
	"door-port": {
		schema: portIfGiven,
		value: "PORT",
		help: "Port of the SOCKS5 door to everything inside; else 1080 or the next free one",
	},
	network: {
		schema: z
			.enum(["auto", "netns", "userspace"], {
				error: "must be one of auto, netns, userspace",
			})
			.default("auto"),
		value: "MODE",
		help: "netns: real packets between namespaces; userspace: this process carries them, on any system; auto: netns where it can",
	},
	data: {
		schema: text.optional(),
		value: "DIR",
		help: "Where the cluster's objects and the cloud's are kept; without it everything is forgotten at the end",
	},
	"log-level": { ...logLevel, schema: logLevel.schema.default("warn") },
} satisfies Flags;
