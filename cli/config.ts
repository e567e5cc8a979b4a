import { isIP, isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import { formatCidr, parseCidr } from "../operator/model/addresses/cidr.ts";
import {
	defaultNodePortRange,
	formatPortRange,
	parsePortRange,
} from "../operator/model/nodeports/port-range.ts";
import type { Flags } from "./flags.ts";

/** Every flag of every command: the one place that says what is allowed. */

export const text = z.string().min(1, "must not be empty");

const port = (fallback: number) =>
	z.coerce
		.number({ error: "must be a port, 0 to 65535" })
		.int("must be a port, 0 to 65535")
		.min(0, "must be a port, 0 to 65535")
		.max(65_535, "must be a port, 0 to 65535")
		.default(fallback);

/** A port that, when none is given, may be any free one near `fallback`. */
const portIfGiven = z.coerce
	.number({ error: "must be a port, 1 to 65535" })
	.int("must be a port, 1 to 65535")
	.min(1, "must be a port, 1 to 65535")
	.max(65_535, "must be a port, 1 to 65535")
	.optional();

/** HOST:PORT, an IPv6 host in brackets. */
const address = (fallback: string) =>
	z.string().default(fallback).transform(readAddress);

const addressIfGiven = z.string().transform(readAddress).optional();

function readAddress(
	value: string,
	context: z.RefinementCtx,
): { host: string; port: number } {
	const [, v6, host, digits] =
		/^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? [];
	const number = Number(digits);
	if (digits === undefined || number > 65_535) {
		context.addIssue({
			code: "custom",
			message: "must be HOST:PORT, for instance 127.0.0.1:8080",
		});
		return z.NEVER;
	}
	return { host: v6 ?? host ?? "", port: number };
}

const wholeNumber = (least: number, most: number, fallback: number) => {
	const message = `must be a whole number, ${least} to ${most}`;
	return z.coerce
		.number({ error: message })
		.int(message)
		.min(least, message)
		.max(most, message)
		.default(fallback);
};

const units = { s: 1_000, m: 60_000, h: 3_600_000 };

/** As `90s`, `10m` or `2h`; `milliseconds` reads it. */
const duration = (fallback: string) =>
	z
		.string()
		.regex(/^\d{1,6}[smh]$/, "must be a duration, for instance 90s, 10m or 2h")
		.default(fallback);

export function milliseconds(duration: string): number {
	return (
		Number.parseInt(duration, 10) * units[duration.at(-1) as keyof typeof units]
	);
}

const logLevel = {
	schema: z
		.enum(["trace", "debug", "info", "warn", "error"], {
			error: "must be one of trace, debug, info, warn, error",
		})
		.default("info"),
	value: "LEVEL",
	help: "Least important log lines to write: trace, debug, info, warn or error",
};

export const dnsLabel = (what: string) =>
	z
		.string()
		.regex(
			/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
			`must be a ${what}: at most 63 of a-z, 0-9 and -`,
		);

export const kubeconfig = {
	schema: text.optional(),
	value: "FILE",
	help: "Kubeconfig; else $KUBECONFIG, ~/.kube/config, or the pod's service account",
};

/** As the API server's flag --service-node-port-range takes it. */
export const nodePortRange = {
	schema: z
		.string()
		.default(formatPortRange(defaultNodePortRange))
		.transform((value, context) => {
			const range = parsePortRange(value);
			if (range && range.first < range.last) return range;
			context.addIssue({
				code: "custom",
				message:
					"must be a range of two or more ports within 1 to 65535, for instance 30000-32767",
			});
			return z.NEVER;
		}),
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
		schema: wholeNumber(1, 256, 32),
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

/** CIDRs with commas between; canonical. */
const cidrs = z.string().transform((value, context) => {
	const found: string[] = [];
	for (const text of value.split(",")) {
		const cidr = parseCidr(text.trim());
		if (cidr.ok) found.push(formatCidr(cidr.value));
		else {
			context.addIssue({ code: "custom", message: cidr.reason });
			return z.NEVER;
		}
	}
	return found;
});

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

const dnsZone = (what: string) =>
	z
		.string()
		.regex(
			/^(?=.{1,200}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/,
			`must be a ${what}: labels of a-z, 0-9 and - with dots between, as cluster.local`,
		);

/** IP addresses with commas between, each with a port unless there is a fallback; IPv6 ones in brackets. */
const addresses = (fallbackPort?: number) =>
	z.string().transform((value, context) =>
		value.split(",").map((one) => {
			const found = parseSocketAddress(one.trim(), fallbackPort);
			if (found) return found;
			context.addIssue({
				code: "custom",
				message:
					fallbackPort === undefined
						? "must be IP:PORT, several with commas between, for instance 127.0.0.1:53,[::1]:53"
						: `must be IP or IP:PORT, several with commas between, for instance 192.0.2.53,[2001:db8::1]:${fallbackPort}`,
			});
			return z.NEVER;
		}),
	);

function parseSocketAddress(
	text: string,
	fallbackPort: number | undefined,
): { host: string; port: number } | undefined {
	const [, v6, v4, digits] =
		/^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
	const bare = fallbackPort !== undefined && isIPv6(text) ? text : undefined;
	const host = v6 ?? v4 ?? bare ?? "";
	const port = digits === undefined ? fallbackPort : Number(digits);
	const isAddress = v4 === undefined ? isIPv6(host) : isIPv4(host);
	if (!isAddress || port === undefined || port > 65_535) return undefined;
	return { host, port };
}

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
		schema: z
			.string()
			.transform((value) => value.split(",").map((one) => one.trim()))
			.refine((all) => all.every((one) => isIP(one) !== 0), {
				message:
					"must be an IP address, several with commas between, for instance 10.96.0.10",
			})
			.optional(),
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
