import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import type { AddressPool } from "../../operator/api/fairlead.ts";
import { parsePoolEntry } from "../../operator/model/addresses/cidr.ts";
import {
	arrangePools,
	compilePool,
} from "../../operator/model/addresses/pool.ts";
import {
	compilePolicy,
	type PolicySpec,
} from "../../operator/model/external-ips/compiled-policy.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";

const root = join(import.meta.dirname, "../..");
const policies = "/apis/fairlead.dev/v1alpha1/externalippolicies";
const sentinel = "192.0.2.254";

export interface Answer {
	code: number;
	body: { message?: string } & Record<string, unknown>;
}

/** A Service as a test wishes for it. */
export interface Wish {
	name?: string;
	namespace?: string;
	externalIPs?: string[];
	labels?: Record<string, string>;
	finalizers?: string[];
}

/** A real API server that knows ExternalIPPolicies, and the chart's admission policy to put on it. */
export class AdmissionWorld {
	readonly #cluster: Cluster;
	readonly #agent = new Agent({ keepAlive: true });
	#round = 0;

	private constructor(cluster: Cluster) {
		this.#cluster = cluster;
	}

	static async start(): Promise<AdmissionWorld> {
		const world = new AdmissionWorld(await startCluster({ dualStack: true }));
		await world.#kubectl(
			"apply",
			`--filename=${join(root, "crds/externalippolicy.yaml")}`,
		);
		await world.#kubectl(
			...["wait", "--for=condition=Established", "--timeout=30s"],
			"crd/externalippolicies.fairlead.dev",
		);
		return world;
	}

	async stop(): Promise<void> {
		this.#agent.destroy();
		await this.#cluster.stop();
	}

	/** Installs the policy that the chart installs, and resolves when it is in force. */
	async admit(): Promise<void> {
		await this.#kubectl(
			"apply",
			`--filename=${join(root, "helm/fairlead/templates/external-ip-admission.yaml")}`,
		);
		await eventually(
			() => this.create({ externalIPs: ["9.9.9.9"] }),
			(said) => {
				if (said === "accepted") throw new Error("9.9.9.9 is let through");
			},
			30_000,
		);
	}

	/** One call as the admin. */
	async call(
		method: string,
		path: string,
		body?: object,
		contentType = "application/json",
	): Promise<Answer> {
		const sent = request(`${this.#cluster.server}${path}`, {
			agent: this.#agent,
			ca: this.#cluster.ca,
			method,
			headers: {
				authorization: `Bearer ${this.#cluster.adminToken}`,
				"content-type": contentType,
			},
		});
		const answered = once(sent, "response") as Promise<[IncomingMessage]>;
		sent.end(body && JSON.stringify(body));
		const [answer] = await answered;
		return {
			code: answer.statusCode ?? 0,
			body: (await json(answer)) as Answer["body"],
		};
	}

	/** As `call`; throws what is no success. */
	async must(...args: Parameters<AdmissionWorld["call"]>): Promise<void> {
		const { code, body } = await this.call(...args);
		if (code >= 300)
			throw new Error(`${args[0]} ${args[1]}: ${code} ${body.message}`);
	}

	namespace(name: string, labels: Record<string, string>): Promise<void> {
		return this.must("POST", "/api/v1/namespaces", {
			apiVersion: "v1",
			kind: "Namespace",
			metadata: { name, labels },
		});
	}

	/** Makes a Service for good. */
	make(wish: Wish): Promise<void> {
		return this.must("POST", servicesOf(wish.namespace), service(wish));
	}

	/** What the API server says to a Service it is asked to check without keeping: "accepted", or the refusal. */
	async create(wish: Wish): Promise<string> {
		const { code, body } = await this.call(
			"POST",
			`${servicesOf(wish.namespace)}?dryRun=All`,
			service(wish),
		);
		return code === 201 ? "accepted" : String(body.message);
	}

	/** As `create`, for a merge patch of a Service that is there. */
	async update(name: string, patch: object, dryRun = true): Promise<string> {
		const { code, body } = await this.call(
			"PATCH",
			`${servicesOf()}/${name}${dryRun ? "?dryRun=All" : ""}`,
			patch,
			"application/merge-patch+json",
		);
		return code === 200 ? "accepted" : String(body.message);
	}

	/**
	 * Writes the policy and resolves when admission goes by it: one more grant, different every time, shows it. Admission
	 * reads policies from a watch of its own, so that a write alone proves nothing.
	 */
	async policy(spec: PolicySpec): Promise<void> {
		const mark = `round-${++this.#round}`;
		const own = {
			pool: "sentinel",
			cidrs: [`${sentinel}/32`],
			serviceSelector: { matchLabels: { mark } },
		};
		await this.must(
			"PATCH",
			`${policies}/compiled?fieldManager=test&force=true`,
			{
				apiVersion: "fairlead.dev/v1alpha1",
				kind: "ExternalIPPolicy",
				metadata: { name: "compiled" },
				spec: { ...spec, grants: [...spec.grants, own] },
			},
			"application/apply-patch+yaml",
		);
		await eventually(
			() => this.create({ externalIPs: [sentinel], labels: { mark } }),
			(said) => {
				if (said !== "accepted") throw new Error(said);
			},
			30_000,
		);
	}

	async #kubectl(...args: string[]): Promise<void> {
		const { code, stderr } = await this.#cluster.kubectl(args);
		if (code !== 0) throw new Error(stderr);
	}
}

export function servicesOf(namespace = "shop"): string {
	return `/api/v1/namespaces/${namespace}/services`;
}

export function service({
	name = "it",
	externalIPs,
	labels,
	finalizers,
}: Wish): object {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name, labels, finalizers },
		spec: { ports: [{ port: 80 }], externalIPs },
	};
}

export const pool = (
	name: string,
	addresses: string[],
	spec: Partial<AddressPool["spec"]> = {},
): AddressPool => ({
	metadata: { name },
	spec: { addresses, uses: ["ExternalIP"], ...spec },
});
/** What the controller would write for these pools, where `own` are the cluster's own addresses. */
export const compiled = (
	pools: AddressPool[],
	own: string[] = [],
): PolicySpec =>
	compilePolicy(
		arrangePools(pools.map(compilePool)).pools,
		own.map((entry) => {
			const range = parsePoolEntry(entry);
			if (!range.ok) throw new Error(range.reason);
			return range.value;
		}),
	).spec;
