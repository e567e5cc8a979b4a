import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Service } from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { readCluster } from "../../operator/cluster/cluster-view.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { ClusterFacts } from "../../operator/model/explain/cluster-facts.ts";
import { explainService } from "../../operator/model/explain/explain-service.ts";
import type { Explanation } from "../../operator/model/explain/explanation.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { binariesFolder } from "../support/cluster-binaries.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { Loopback } from "../support/loopback.ts";
import { quietLog } from "../support/quiet-log.ts";

export const namespace = "shop";
const launcher = new URL("../../bin/fairlead.js", import.meta.url).pathname;
const crds = new URL("../../crds", import.meta.url).pathname;

/** What one run of the command came to. */
export interface Said {
	code: number | null;
	lines: string[];
	/** What it wrote to standard error. */
	complaint: string;
}

/** A control plane with a namespace for the Services of one row at a time, and controllers as processes of their own. */
export class ExplainWorld {
	readonly cluster: Cluster;
	readonly client: KubeClient;
	/** A cloud that answers every call by the status its path begins with: `/429/v1`. */
	readonly cloudUrl: string;
	readonly #loopback: Loopback;
	#controller: Fairlead | undefined;

	private constructor(
		cluster: Cluster,
		client: KubeClient,
		loopback: Loopback,
		cloudUrl: string,
	) {
		this.cluster = cluster;
		this.client = client;
		this.#loopback = loopback;
		this.cloudUrl = cloudUrl;
	}

	static async start(): Promise<ExplainWorld> {
		const loopback = new Loopback();
		const cluster = await startCluster({
			dualStack: true,
			users: [{ name: "reader" }, { name: "nobody" }, { name: "powerless" }],
		});
		const log = quietLog();
		const client = createKubeClient(
			await loadConnection({
				path: cluster.kubeconfigPath,
				clock: systemClock,
				log,
			}),
			{ clock: systemClock, log, userAgent: "explain-test" },
		);
		const port = await loopback.listen(refusingCloud());
		const world = new ExplainWorld(
			cluster,
			client,
			loopback,
			`http://127.0.0.1:${port}`,
		);
		for (const name of [namespace, "fairlead-system"])
			await world.make(resources.namespaces, {
				metadata: { name, labels: { team: name } },
			});
		return world;
	}

	async installKinds(): Promise<void> {
		const { code, stderr } = await this.cluster.kubectl(["apply", "-f", crds]);
		if (code !== 0) throw new Error(stderr);
		await this.cluster.kubectl([
			"wait",
			"--for=condition=Established",
			"crd/balancerclasses.fairlead.dev",
			"crd/addresspools.fairlead.dev",
		]);
	}

	/** Lets the users do what their names say. */
	async grant(): Promise<void> {
		const { code, stderr } = await this.cluster.kubectl(["apply", "-f", "-"], {
			stdin: JSON.stringify({
				apiVersion: "v1",
				kind: "List",
				items: [
					...role("reader", [
						rule("", ["services", "nodes", "namespaces"], "list"),
						rule("discovery.k8s.io", ["endpointslices"], "list"),
						rule("fairlead.dev", ["balancerclasses"], "list"),
						rule("coordination.k8s.io", ["leases"], "get"),
					]),
					...role("powerless", [
						rule("*", ["*"], "get", "list", "watch"),
						rule("coordination.k8s.io", ["leases"], "*"),
					]),
				],
			}),
		});
		if (code !== 0) throw new Error(stderr);
	}

	async make<T extends KubeObject>(
		resource: Resource,
		object: T,
	): Promise<void> {
		const { group, version, kind } = resource;
		await this.client.create(resource, {
			apiVersion: group === "" ? version : `${group}/${version}`,
			kind,
			...object,
		});
	}

	/** Takes everything of the last row away, whatever holds it. */
	async clear(): Promise<void> {
		const each: [Resource, string | undefined][] = [
			[resources.services, namespace],
			[resources.endpointSlices, namespace],
			[resources.secrets, namespace],
			[resources.addressReservations, namespace],
			[resources.balancerClasses, undefined],
			[resources.addressPools, undefined],
			[resources.nodes, undefined],
		];
		for (const [resource, within] of each) await this.#clear(resource, within);
	}

	async #clear(resource: Resource, within: string | undefined): Promise<void> {
		const list = async () => {
			try {
				const { items } = await this.client.list(
					resource,
					within === undefined ? {} : { namespace: within },
				);
				return items;
			} catch (error) {
				// Before the kinds are installed.
				if (isFairleadError(error, "KubeNotFound")) return [];
				throw error;
			}
		};
		await eventually(
			async () => {
				const left = await list();
				for (const { metadata } of left) await this.#remove(resource, metadata);
				return left;
			},
			(left) => expect(left).toEqual([]),
		);
	}

	async #remove(
		resource: Resource,
		{ namespace: within, name, finalizers }: KubeObject["metadata"],
	): Promise<void> {
		const ref = {
			name,
			...(within === undefined ? {} : { namespace: within }),
		};
		try {
			if (finalizers)
				await this.client.patch(resource, ref, {
					type: "merge",
					body: { metadata: { finalizers: null } },
				});
			await this.client.delete(resource, ref);
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound", "KubeConflict")) throw error;
		}
	}

	/** Starts a controller that competes for the Lease; the one before is gone. */
	async lead(user?: "powerless"): Promise<void> {
		await this.leave();
		const controller = new Fairlead([
			"controller",
			"--kubeconfig",
			user ? this.cluster.kubeconfigFor({ user }) : this.cluster.kubeconfigPath,
			"--metrics-port",
			"0",
		]);
		this.#controller = controller;
		await controller.logged(({ msg }) => msg.startsWith("leads"));
	}

	async leave(): Promise<void> {
		await this.#controller?.kill("SIGTERM");
		this.#controller = undefined;
	}

	/** What the model says of Service `web`, as soon as it gives this reason. */
	async explained(reason: string): Promise<Explanation> {
		return eventually(
			async () => {
				const facts = new ClusterFacts(
					await readCluster(this.client, {
						clock: systemClock,
						namespace: "fairlead-system",
					}),
				);
				const service = facts.service(`${namespace}/web`);
				if (!service) throw new Error("there is no Service web");
				return explainService(service, facts);
			},
			(told) => {
				expect(`${told.reason}: ${told.headline}`).toMatch(
					new RegExp(`^${reason}: `),
				);
			},
		);
	}

	/** Runs the real command. */
	async explain(
		args: string[],
		kubeconfig = this.cluster.kubeconfigPath,
	): Promise<Said> {
		const command = new Fairlead(["explain", ...args], {
			KUBECONFIG: kubeconfig,
		});
		const { code } = await command.ended;
		return {
			code,
			lines: command.out,
			complaint: command.log.map(({ msg }) => msg).join("\n"),
		};
	}

	/** Runs `kubectl fairlead …` with the launcher under the name that kubectl looks for. */
	async plugin(args: string[]): Promise<Said> {
		const folder = await mkdtemp(join(tmpdir(), "fairlead-plugin-"));
		try {
			await symlink(launcher, join(folder, "kubectl-fairlead"));
			const child = spawn(
				join(binariesFolder(["kubectl"]), "kubectl"),
				["fairlead", ...args],
				{
					stdio: ["ignore", "pipe", "pipe"],
					env: {
						PATH: `${folder}:${process.env["PATH"]}`,
						HOME: folder,
						KUBECONFIG: this.cluster.kubeconfigPath,
					},
				},
			);
			const [out, complaint, [code]] = await Promise.all([
				text(child.stdout),
				text(child.stderr),
				once(child, "close"),
			]);
			return { code: code as number | null, lines: out.split("\n"), complaint };
		} finally {
			await rm(folder, { recursive: true });
		}
	}

	async writeStatus(
		status: NonNullable<Service["status"]>,
		metadata: object = {},
	): Promise<void> {
		await this.client.patch(
			resources.services,
			{ namespace, name: "web", subresource: "status" },
			{ type: "strategic-merge", body: { metadata, status } },
		);
	}

	async stop(): Promise<void> {
		await this.leave();
		this.client.close();
		await this.#loopback.closeAll();
		await this.cluster.stop();
	}
}

function refusingCloud(): Server {
	return createServer((request, response) => {
		const [, status] = (request.url ?? "").split("/");
		response.writeHead(Number(status), {
			"content-type": "application/json",
			"retry-after": "30",
		});
		response.end(
			JSON.stringify({
				error: {
					code: status === "429" ? "rate_limit_exceeded" : "unauthorized",
					message: `the cloud said ${status}`,
					details: null,
				},
			}),
		);
	});
}

function rule(group: string, kinds: string[], ...verbs: string[]): object {
	return { apiGroups: [group], resources: kinds, verbs };
}

function role(user: string, rules: object[]): object[] {
	const api = { apiVersion: "rbac.authorization.k8s.io/v1" };
	return [
		{ ...api, kind: "ClusterRole", metadata: { name: user }, rules },
		{
			...api,
			kind: "ClusterRoleBinding",
			metadata: { name: user },
			roleRef: {
				apiGroup: "rbac.authorization.k8s.io",
				kind: "ClusterRole",
				name: user,
			},
			subjects: [
				{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user },
			],
		},
	];
}
