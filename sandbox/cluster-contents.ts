import type { Node, Pod } from "../operator/api/core.ts";
import type { KubeObject } from "../operator/api/meta.ts";
import { type KubeClient, resources } from "../operator/cluster/kube.ts";
import { isFairleadError } from "../operator/errors.ts";
import {
	clusterObjects,
	type ObjectOf,
	sampleObjects,
} from "./cluster-objects.ts";

export interface ClusterContentsOptions {
	client: KubeClient;
	/** Of the cloud's API, as seen from inside, without version. */
	cloudUrl: string;
	/** Of this run. */
	token: string;
	sample: readonly KubeObject[];
}

/** What the sandbox itself puts into its cluster and its cloud; both may have been used before (--data). */
export class ClusterContents {
	readonly #options: ClusterContentsOptions;

	constructor(options: ClusterContentsOptions) {
		this.#options = options;
	}

	/**
	 * Brings what the sandbox needs up to date, takes away nodes beyond the first `nodes`, and creates the sample if the
	 * cluster is new: a sample that somebody has deleted stays deleted.
	 */
	async fill(nodes: number): Promise<void> {
		const objects = clusterObjects({ ...this.#options, nodes });
		const isNew = !(await this.#isThere(objects[0]));
		await Promise.all([
			...objects.map((each) => this.#apply(each)),
			this.#removeNodesBeyond(nodes),
		]);
		if (!isNew) return;
		const { client, sample } = this.#options;
		await Promise.all(
			sampleObjects(sample).map(({ resource, object }) =>
				client.create(resource, object),
			),
		);
	}

	/** The id of the cloud's server of that name, which is made if it is not there. */
	async server(name: string, address: string): Promise<number> {
		const found = await this.#cloud<{ servers: { id: number }[] }>(
			"GET",
			`/servers?name=${name}`,
		);
		const [known] = found.servers;
		if (known) return known.id;
		const made = await this.#cloud<{ server: { id: number } }>(
			"POST",
			"/servers",
			{
				name,
				server_type: "cx23",
				image: "debian-12",
				location: "fsn1",
				fairlead: { address },
			},
		);
		return made.server.id;
	}

	async #isThere(one: ObjectOf | undefined): Promise<boolean> {
		if (!one) return false;
		const { namespace, name } = one.object.metadata;
		try {
			await this.#options.client.get<KubeObject>(one.resource, {
				...(namespace !== undefined && { namespace }),
				name,
			});
			return true;
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
			return false;
		}
	}

	async #apply({ resource, object }: ObjectOf): Promise<void> {
		const { namespace, name } = object.metadata;
		await this.#options.client.patch(
			resource,
			{ ...(namespace !== undefined && { namespace }), name },
			{
				type: "apply",
				body: object,
				fieldManager: "fairlead-sandbox",
				force: true,
			},
		);
	}

	/** With their pods and their servers: no kubelet runs there any more. */
	async #removeNodesBeyond(count: number): Promise<void> {
		const { client } = this.#options;
		const { items } = await client.list<Node>(resources.nodes);
		for (const { metadata } of items) {
			const [, number] = /^node-(\d+)$/.exec(metadata.name) ?? [];
			if (number === undefined || Number(number) <= count) continue;
			const pods = await client.list<Pod>(resources.pods, {
				fieldSelector: `spec.nodeName=${metadata.name}`,
			});
			for (const pod of pods.items)
				await client.delete(
					resources.pods,
					{
						namespace: pod.metadata.namespace ?? "default",
						name: pod.metadata.name,
					},
					undefined,
					{ gracePeriodSeconds: 0 },
				);
			await client.delete(resources.nodes, { name: metadata.name });
			await this.#removeServer(metadata.name);
		}
	}

	async #removeServer(name: string): Promise<void> {
		const { servers } = await this.#cloud<{ servers: { id: number }[] }>(
			"GET",
			`/servers?name=${name}`,
		);
		for (const { id } of servers) await this.#cloud("DELETE", `/servers/${id}`);
	}

	async #cloud<T>(method: string, path: string, body?: object): Promise<T> {
		const { cloudUrl, token } = this.#options;
		const answer = await fetch(`${cloudUrl}/v1${path}`, {
			method,
			headers: {
				authorization: `Bearer ${token}`,
				"content-type": "application/json",
			},
			...(body && { body: JSON.stringify(body) }),
		});
		const text = await answer.text();
		if (!answer.ok)
			throw new Error(`the cloud answered ${method} ${path}: ${text}`);
		return JSON.parse(text) as T;
	}
}
