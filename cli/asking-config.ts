import { z } from "zod";
import { kubeconfig, nodePortRange } from "./config.ts";
import { dnsLabel, text } from "./flag-values.ts";
import type { Argument, Flags } from "./flags.ts";

/** Flags of the commands that read the cluster, say something and end. */

const context = {
	schema: text.optional(),
	value: "NAME",
	help: "Context of the kubeconfig, if not its current one",
};

/** What all of them take. */
export const askingFlags = {
	kubeconfig,
	context,
	namespace: {
		schema: dnsLabel("namespace").default("fairlead-system"),
		value: "NAME",
		help: "Namespace in which Fairlead runs",
	},
	output: {
		schema: z
			.enum(["text", "json"], { error: "must be text or json" })
			.default("text"),
		value: "FORMAT",
		short: "o",
		help: "text or json",
	},
	color: {
		schema: z
			.enum(["auto", "always", "never"], {
				error: "must be one of auto, always, never",
			})
			.default("auto"),
		value: "WHEN",
		help: "auto (on a terminal, unless $NO_COLOR is set), always or never",
	},
} satisfies Flags;

export const explainFlags = {
	...askingFlags,
	"service-namespace": {
		schema: dnsLabel("namespace").optional(),
		value: "NAME",
		short: "n",
		help: "Namespace of the Service, if only its name is given, as kubectl takes it",
	},
} satisfies Flags;

/** Names of Kubernetes objects as the API server takes them for Services and namespaces. */
const objectName = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

export const explainArgument = {
	schema: z
		.string()
		.regex(
			new RegExp(`^(${objectName}/)?${objectName}$`),
			"must be NAMESPACE/NAME of a Service, for instance shop/web, or its NAME with -n NAMESPACE",
		)
		.optional(),
	value: "NAMESPACE/NAME",
	help: "The Service; without it, all that wait",
} satisfies Argument;

export const planFlags = {
	...askingFlags,
	file: {
		schema: z.array(text).default([]),
		value: "FILE",
		short: "f",
		multiple: true,
		help: "AddressPools and BalancerClasses as they shall be, YAML or JSON; - is standard input; may be repeated",
	},
	delete: {
		schema: z
			.array(
				z
					.string()
					.regex(
						/^((addresspool|balancerclass)\/)?[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/i,
						"must be the name of an AddressPool, or balancerclass/NAME",
					),
			)
			.default([]),
		value: "NAME",
		multiple: true,
		help: "AddressPool that shall be deleted, or balancerclass/NAME; may be repeated",
	},
} satisfies Flags;

export const nodePortsFlags = {
	...askingFlags,
	"node-port-range": nodePortRange,
} satisfies Flags;

export const migrateArgument = {
	schema: z.literal("metallb", {
		error: "must be metallb: from what to migrate",
	}),
	value: "metallb",
	help: "From what to migrate",
} satisfies Argument;

export const migrateFlags = {
	kubeconfig,
	context,
	file: {
		schema: z.array(text).default([]),
		value: "FILE",
		short: "f",
		multiple: true,
		help: "MetalLB's objects (and Services) instead of the cluster's, YAML or JSON; - is standard input; may be repeated",
	},
	default: {
		schema: z.boolean().default(true),
		help: "Make no class the default one, which takes Services without loadBalancerClass",
	},
	output: {
		schema: z
			.enum(["yaml", "json", "commands"], {
				error: "must be yaml, json or commands",
			})
			.default("yaml"),
		value: "FORMAT",
		short: "o",
		help: "yaml or json, for kubectl apply; or commands: what makes Services ask for the addresses they have",
	},
} satisfies Flags;
