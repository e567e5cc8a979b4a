import { z } from "zod";

/**
 * The part of the Hetzner Cloud v1 wire that Fairlead reads and writes, and the extra fields a cloud may advertise at
 * `GET /fairlead/capabilities`. Objects keep the wire's own names, so that what is compared is what is sent.
 * Source: docs.hetzner.cloud, Load Balancers, Servers, Actions.
 */

const healthCheckSchema = z.object({
	protocol: z.string(),
	port: z.number(),
	interval: z.number(),
	timeout: z.number(),
	retries: z.number(),
	http: z.object({ path: z.string().nullish() }).nullish(),
});

const serviceSchema = z.object({
	protocol: z.string(),
	listen_port: z.number(),
	destination_port: z.number(),
	proxyprotocol: z.boolean().nullish(),
	health_check: healthCheckSchema,
	/** Extension. Canonical CIDRs that may connect; absent or empty: everybody. */
	source_ranges: z.array(z.string()).nullish(),
	/** Extension. Seconds a client keeps its target; absent or null: no affinity. */
	affinity_seconds: z.number().nullish(),
});

const targetSchema = z.union([
	z.object({
		type: z.literal("server"),
		server: z.object({ id: z.number() }),
		use_private_ip: z.boolean().nullish(),
	}),
	z.object({ type: z.literal("ip"), ip: z.object({ ip: z.string() }) }),
	// label_selector, and whatever is invented later: never ours.
	z.object({ type: z.string() }).transform(() => ({ type: "other" as const })),
]);

const addressSchema = z.object({ ip: z.string().nullish() }).nullish();

const balancerSchema = z.object({
	id: z.number(),
	name: z.string(),
	labels: z.record(z.string(), z.string()),
	created: z.string(),
	protection: z.object({ delete: z.boolean() }),
	public_net: z.object({
		enabled: z.boolean().nullish(),
		ipv4: addressSchema,
		ipv6: addressSchema,
	}),
	algorithm: z.object({ type: z.string() }),
	load_balancer_type: z.object({ name: z.string() }).nullish(),
	location: z.object({ name: z.string(), network_zone: z.string() }).nullish(),
	services: z.array(serviceSchema),
	targets: z.array(targetSchema),
});

export const actionSchema = z.object({
	id: z.number(),
	command: z.string(),
	status: z.enum(["running", "success", "error"]),
	error: z.object({ code: z.string(), message: z.string() }).nullish(),
	resources: z.array(z.object({ id: z.number(), type: z.string() })),
});

const meta = z
	.object({
		pagination: z.object({ next_page: z.number().nullish() }).nullish(),
	})
	.nullish();

/** Where a list says whether there is more of it. */
export type Paged = { meta?: z.infer<typeof meta> };

export const answers = {
	balancer: z.object({ load_balancer: balancerSchema }),
	balancers: z.object({ load_balancers: z.array(balancerSchema), meta }),
	created: z.object({ load_balancer: balancerSchema, action: actionSchema }),
	action: z.object({ action: actionSchema }),
	actions: z.object({ actions: z.array(actionSchema), meta }),
	/** DELETE: Hetzner answers 204 and nothing, others the action that does it. */
	deleted: z.object({ action: actionSchema.optional() }),
	servers: z.object({
		servers: z.array(z.object({ id: z.number(), name: z.string() })),
		meta,
	}),
	capabilities: z.object({
		capabilities: z.object({
			protocols: z.array(z.enum(["tcp", "udp", "sctp"])).optional(),
			source_ranges: z.boolean().optional(),
			affinity: z.boolean().optional(),
			batch_targets: z.boolean().optional(),
		}),
	}),
};

export type CloudBalancer = z.infer<typeof balancerSchema>;
export type CloudService = z.infer<typeof serviceSchema>;
export type CloudTarget = z.infer<typeof targetSchema>;
/** A target of a kind Fairlead makes. */
export type OwnTarget = Exclude<CloudTarget, { type: "other" }>;
export type CloudAction = z.infer<typeof actionSchema>;
export type CloudServer = { id: number; name: string };
