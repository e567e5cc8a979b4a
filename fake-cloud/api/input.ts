import { isIP } from "node:net";
import { z } from "zod";
import { canonicalAddress, canonicalCidr } from "../store/address-range.ts";
import { invalidInput } from "./api-error.ts";
import { labelsProblem, parseSelector } from "./label-selector.ts";

/** @throws ApiError invalid_input, naming every wrong field with what it was and what it must be */
export function parse<T>(schema: z.ZodType<T>, input: unknown): T {
	const result = schema.safeParse(input ?? {}, { reportInput: true });
	if (result.success) return result.data;
	const fields = new Map<string, string[]>();
	for (const issue of result.error.issues) {
		const name = issue.path.map(String).join(".");
		const got =
			issue.input === undefined ? "" : `, got ${shorten(issue.input)}`;
		const message =
			issue.input === undefined && issue.code === "invalid_type"
				? "is required"
				: `${issue.message}${got}`;
		fields.set(name, [...(fields.get(name) ?? []), message]);
	}
	throw invalidInput(
		[...fields].map(([name, messages]) => ({ name, messages })),
	);
}

function shorten(value: unknown): string {
	const text = JSON.stringify(value) ?? String(value);
	return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

const port = z.int().min(1).max(65535);

export const idOrName = z.union([z.int().min(1), z.string().min(1)], {
	error: "must be an id or a name",
});

export const id = z.int().min(1);

export const resourceName = z
	.string()
	.regex(
		/^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/,
		"must be 1 to 128 letters, digits, '.', '_' or '-', beginning and ending with a letter or digit",
	);

/** RFC 1123, as Hetzner asks of servers. */
export const hostname = z
	.string()
	.max(253)
	.regex(
		/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/,
		"must be a valid hostname (RFC 1123)",
	);

export const labels = z
	.record(z.string(), z.string())
	.superRefine((value, context) => {
		const problem = labelsProblem(value);
		if (problem) context.addIssue({ code: "custom", message: problem });
	});

export const selector = z
	.string()
	.min(1)
	.refine(
		(text) => parseSelector(text) !== undefined,
		"must be a label selector, such as k=v,!k2",
	);

export const address = z
	.string()
	.refine((text) => isIP(text) !== 0, "must be an IPv4 or IPv6 address")
	.transform((text) => canonicalAddress(text) ?? text);

const healthCheckHttp = z.object({
	domain: z
		.string()
		.max(253)
		.regex(/^[^\s%\\]*$/, "may not contain spaces, percent or backslash")
		.nullish(),
	path: z
		.string()
		.max(1024)
		.regex(/^\/[^\s]*$/, "must begin with / and may not contain spaces")
		.optional(),
	response: z.string().max(1024).nullish(),
	status_codes: z
		.array(
			z
				.string()
				.regex(
					/^[1-5?*][0-9?*]{0,2}$/,
					"must be a status code, such as 200 or 2??",
				),
		)
		.optional(),
	tls: z.boolean().optional(),
});

const healthCheck = z.object({
	protocol: z
		.enum(["tcp", "http"], { error: "must be tcp or http" })
		.optional(),
	port: port.optional(),
	interval: z.int().min(3).max(60).optional(),
	timeout: z.int().min(1).max(60).optional(),
	retries: z.int().min(1).max(5).optional(),
	http: healthCheckHttp.nullish(),
});

const serviceHttp = z.object({
	cookie_name: z
		.string()
		.max(256)
		.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "must be a valid cookie name")
		.optional(),
	cookie_lifetime: z.int().min(30).max(86_400).optional(),
	certificates: z.array(id).optional(),
	redirect_http: z.boolean().optional(),
	sticky_sessions: z.boolean().optional(),
	timeout_idle: z.int().min(1).max(3_600).optional(),
});

const sourceRange = z.string().transform((text, context) => {
	const canonical = canonicalCidr(text);
	if (canonical !== undefined) return canonical;
	context.addIssue({ code: "custom", message: "must be a CIDR", input: text });
	return z.NEVER;
});

const protocol = z.enum(["tcp", "udp", "http", "https"], {
	error: "must be tcp, udp, http or https",
});

/** A service as it is added; defaults are filled in by `newService`. */
export const service = z.object({
	protocol,
	listen_port: port.optional(),
	destination_port: port.optional(),
	proxyprotocol: z.boolean().optional(),
	http: serviceHttp.nullish(),
	health_check: healthCheck.nullish(),
	source_ranges: z.array(sourceRange).max(1000).nullish(),
	affinity_seconds: z.int().min(0).max(86_400).nullish(),
});

/** A service as it is changed: what is absent stays. Protocol udp changes the UDP service of that port. */
export const serviceUpdate = service.extend({
	protocol: protocol.optional(),
	listen_port: port,
});

/** What names a service: its port, as at Hetzner; and `protocol: udp` for a UDP service, which may share a port. */
export const serviceName = z.object({
	listen_port: port,
	protocol: protocol.optional(),
});

export type ServiceInput = z.infer<typeof service>;
export type ServiceUpdateInput = z.infer<typeof serviceUpdate>;

const usePrivateIp = z.boolean().optional();

export const target = z.discriminatedUnion(
	"type",
	[
		z.object({
			type: z.literal("server"),
			server: z.object({ id }),
			use_private_ip: usePrivateIp,
		}),
		z.object({
			type: z.literal("label_selector"),
			label_selector: z.object({ selector }),
			use_private_ip: usePrivateIp,
		}),
		z.object({ type: z.literal("ip"), ip: z.object({ ip: address }) }),
	],
	{ error: "must be server, label_selector or ip" },
);

export type TargetInput = z.infer<typeof target>;

export const algorithm = z.enum(["round_robin", "least_connections"], {
	error: "must be round_robin or least_connections",
});

/** IPv4 CIDR with host bits zero, as Hetzner asks of networks. */
export const cidr = z
	.string()
	.regex(/^\d+\.\d+\.\d+\.\d+\/\d+$/, "must be an IPv4 CIDR")
	.refine((text) => {
		const [base = "", length = ""] = text.split("/");
		return isIP(base) === 4 && Number(length) >= 8 && Number(length) <= 29;
	}, "must be an IPv4 CIDR with a prefix of 8 to 29");

/** A query parameter that may be given several times. */
export const repeated = z
	.union([z.string(), z.array(z.string())])
	.optional()
	.transform((value) => (value === undefined ? [] : [value].flat()));
