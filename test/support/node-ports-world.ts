import { readFile } from "node:fs/promises";
import { Registry } from "prom-client";
import type { Lease, Service, ServiceSpec } from "../../operator/api/core.ts";
import type {
	BalancerClass,
	NodePortPool,
} from "../../operator/api/fairlead.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import {
	agentAnnotations,
	agentLease,
	conditions,
} from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { Controller } from "../../operator/controller/controller.ts";
import { isFairleadError } from "../../operator/errors.ts";
import type { NodePortFacts } from "../../operator/model/agent-report.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { quietLog } from "./quiet-log.ts";

const root = new URL("../../", import.meta.url).pathname;
export const home = "fairlead-system";

/** A real control plane with Fairlead's kinds, and a controller in this process that a test starts and stops. */
export class NodePortsWorld {
	readonly cluster: Cluster;
	readonly client: KubeClient;
	readonly log = quietLog();
	metrics = new Registry();
	#controller: Controller | undefined;

	private constructor(cluster: Cluster, client: KubeClient) {
		this.cluster = cluster;
		this.client = client;
	}

	static async start(): Promise<NodePortsWorld> {
		// Nobody makes service accounts here, and pods are there for their hostPorts only.
		const cluster = await startCluster({
			apiServerArgs: ["--disable-admission-plugins=ServiceAccount"],
		});
		const world = new NodePortsWorld(cluster, await connect(cluster));
		await world.kubectl(["create", "namespace", home]);
		await world.kubectl(["apply", "-f", `${root}crds`]);
		await world.kubectl([
			...["wait", "--for=condition=Established", "--timeout=30s", "crd"],
			...["balancerclasses", "addresspools", "nodeportpools"].map(
				(plural) => `${plural}.fairlead.dev`,
			),
		]);
		return world;
	}

	async stop(): Promise<void> {
		await this.stopController();
		this.client.close();
		await this.cluster.stop();
	}

	async startController(): Promise<void> {
		this.metrics = new Registry();
		this.#controller = new Controller({
			client: await connect(this.cluster),
			clock: systemClock,
			random: Math.random,
			log: this.log,
			metrics: this.metrics,
			identity: "test",
			leaseNamespace: undefined,
			namespace: home,
			clusterId: "c1",
			workers: 8,
			auditSchedule: "0 0 1 1 *",
		});
		this.#controller.start();
	}

	async stopController(): Promise<void> {
		await this.#controller?.stop();
		this.#controller = undefined;
	}

	/** Runs kubectl; throws with what it said when it fails. */
	async kubectl(args: readonly string[], stdin = ""): Promise<string> {
		const { stdout, stderr, code } = await this.cluster.kubectl(args, {
			stdin,
		});
		if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
		return stdout;
	}

	/** The admission policy of the chart, without the lines that are for helm. */
	async applyReleasePolicy(): Promise<void> {
		const template = await readFile(
			`${root}helm/fairlead/templates/node-port-release.yaml`,
			"utf8",
		);
		await this.kubectl(
			["apply", "-f", "-"],
			template.replaceAll(/^\{\{.*\}\}$/gm, ""),
		);
	}

	pool(name: string, range: string, more: object = {}): Promise<NodePortPool> {
		return this.client.create<NodePortPool>(resources.nodePortPools, {
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "NodePortPool",
			metadata: { name },
			spec: { range, ...more },
		});
	}

	class(
		name: string,
		spec: Partial<BalancerClass["spec"]> = {},
	): Promise<BalancerClass> {
		return this.client.create<BalancerClass>(resources.balancerClasses, {
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "BalancerClass",
			metadata: { name },
			spec: { provider: "Static", ...spec },
		});
	}

	service(
		name: string,
		spec: ServiceSpec,
		metadata: Partial<Service["metadata"]> = {},
		namespace = "default",
	): Promise<Service> {
		return this.client.create<Service>(resources.services, {
			apiVersion: "v1",
			kind: "Service",
			metadata: { ...metadata, name, namespace },
			spec,
		});
	}

	get(name: string, namespace = "default"): Promise<Service> {
		return this.client.get<Service>(resources.services, { namespace, name });
	}

	async poolNamed(name: string): Promise<NodePortPool> {
		return this.client.get<NodePortPool>(resources.nodePortPools, { name });
	}

	/** `web=30000 dns=30001`, in the Service's order. */
	async portsOf(name: string, namespace = "default"): Promise<string> {
		return shownPorts(await this.get(name, namespace));
	}

	/** Waits until the Service has these ports. */
	ports(
		name: string,
		expected: string,
		namespace = "default",
	): Promise<string> {
		return eventually(
			() => this.portsOf(name, namespace),
			(found) => expect(found).toBe(expected),
		);
	}

	/** Waits until condition fairlead.dev/NodePorts reads like this, as `True Assigned: …`. */
	says(name: string, expected: string, namespace = "default"): Promise<string> {
		return eventually(
			async () => shownCondition(await this.get(name, namespace)),
			(found) => expect(found).toContain(expected),
		);
	}

	/** What the agent of a node says of its ports. */
	async report(node: string, ports: NodePortFacts): Promise<void> {
		const lease: Lease = {
			apiVersion: "coordination.k8s.io/v1",
			kind: "Lease",
			metadata: {
				name: agentLease.prefix + node,
				namespace: home,
				labels: { [agentLease.label]: agentLease.labelValue },
				annotations: {
					[agentAnnotations.report]: JSON.stringify({
						node,
						rules: "off",
						ports,
					}),
				},
			},
			spec: {
				holderIdentity: node,
				leaseDurationSeconds: 3_600,
				renewTime: new Date().toISOString().replace("Z", "000Z"),
			},
		};
		await this.kubectl(["apply", "-f", "-"], JSON.stringify(lease));
	}

	/**
	 * Deletes all that tests make: Services first, then what the controller makes of pools goes by itself. A Service that
	 * is deleted while somebody else sets its NodePorts can leave them allocated to nobody in the API server.
	 */
	async clean(): Promise<void> {
		for (const service of await this.#all(resources.services))
			if (service.metadata.namespace === "default")
				await this.remove(resources.services, service);
		for (const resource of [
			resources.nodePortPools,
			resources.balancerClasses,
			resources.leases,
		])
			for (const object of await this.#all(resource))
				await this.remove(resource, object);
		if (!this.#controller)
			for (const service of await this.#all(resources.services))
				await this.remove(resources.services, service);
		await eventually(
			async () => [
				...(await this.#all(resources.services)),
				...(await this.#all(resources.balancerClasses)),
			],
			(left) => expect(left.map(({ metadata }) => metadata.name)).toEqual([]),
		);
	}

	async remove(
		resource: (typeof resources)[keyof typeof resources],
		{ metadata }: KubeObject,
	): Promise<void> {
		const { namespace, name } = metadata;
		try {
			await this.client.delete(resource, {
				name,
				...(namespace === undefined ? {} : { namespace }),
			});
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
	}

	async #all(
		resource: (typeof resources)[keyof typeof resources],
	): Promise<KubeObject[]> {
		const { items } = await this.client.list<KubeObject>(resource);
		return items.filter(
			({ metadata }) =>
				metadata.name !== "kubernetes" && metadata.namespace !== "kube-system",
		);
	}

	/** Numbers that placeholders hold, sorted. */
	async held(): Promise<number[]> {
		const { items } = await this.client.list<Service>(resources.services, {
			namespace: home,
		});
		return items
			.flatMap(({ spec }) => spec.ports ?? [])
			.map(({ nodePort = 0 }) => nodePort)
			.sort((a, b) => a - b);
	}
}

async function connect(cluster: Cluster): Promise<KubeClient> {
	const sources = { clock: systemClock, log: quietLog() };
	const connection = await loadConnection({
		path: cluster.kubeconfigPath,
		...sources,
	});
	return createKubeClient(connection, { ...sources, userAgent: "test/0" });
}

export function shownPorts({ spec }: Service): string {
	return (spec.ports ?? [])
		.map(({ name, port, nodePort }) => `${name ?? port}=${nodePort ?? 0}`)
		.join(" ");
}

export function shownCondition({ status }: Service): string {
	const found = status?.conditions?.find(
		({ type }) => type === conditions.nodePorts,
	);
	return found
		? `${found.status} ${found.reason}: ${found.message}`
		: "nothing";
}
