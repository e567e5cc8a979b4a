import { readdirSync } from "node:fs";
import { Registry } from "prom-client";
import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	AddressReservation,
} from "../../operator/api/fairlead.ts";
import type { Condition, KubeObject } from "../../operator/api/meta.ts";
import { conditions } from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../../operator/cluster/kube.ts";
import { Controller } from "../../operator/controller/controller.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { clusterClient } from "./cluster-client.ts";
import { eventually } from "./eventually.ts";
import { labService, named, type Wishes } from "./lab-service.ts";
import { mortalClient } from "./mortal-client.ts";
import { quietLog } from "./quiet-log.ts";

const crds = new URL("../../crds/", import.meta.url).pathname;
const group = "fairlead.dev/v1alpha1";

/** When a controller dies: with its write of this number, before or after the API server has done it. */
export interface Death {
	write: number;
	when: "before" | "after";
}

/**
 * A real API server with our kinds, class `lan` (Static, default) and a controller in this process. Names without a
 * namespace are of namespace shop, which has label team=shop; namespace other has label team=other.
 */
export class AddressLab {
	readonly cluster: Cluster;
	readonly client: KubeClient;
	#controller: Controller | undefined;

	private constructor(cluster: Cluster, client: KubeClient) {
		this.cluster = cluster;
		this.client = client;
	}

	/** `without` is a file of crds/ that is not installed. */
	static async start(without?: string): Promise<AddressLab> {
		const cluster = await startCluster({ dualStack: true });
		const lab = new AddressLab(cluster, await clusterClient(cluster));
		for (const file of readdirSync(crds))
			if (file !== without) await lab.install(file);
		await lab.kubectl("create", "namespace", "shop");
		await lab.kubectl("create", "namespace", "other");
		await lab.kubectl("label", "namespace", "shop", "team=shop");
		await lab.kubectl("label", "namespace", "other", "team=other");
		await lab.make(resources.balancerClasses, {
			metadata: { name: "lan" },
			spec: { provider: "Static", default: true },
		});
		return lab;
	}

	async install(file: string): Promise<void> {
		await this.kubectl("apply", "-f", `${crds}${file}`);
		await this.kubectl(
			...["wait", "--for=condition=Established", "--timeout=30s"],
			...["-f", `${crds}${file}`],
		);
	}

	async kubectl(...args: string[]): Promise<string> {
		const { code, stdout, stderr } = await this.cluster.kubectl(args);
		if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
		return stdout;
	}

	/** Starts a controller; resolves when it looks after Services. */
	async run(client?: KubeClient): Promise<void> {
		const log = quietLog();
		client ??= await clusterClient(this.cluster);
		this.#controller = new Controller({
			client,
			clock: systemClock,
			random: Math.random,
			log,
			metrics: new Registry(),
			identity: "lab",
			leaseNamespace: undefined,
			clusterId: "lab",
			workers: 8,
			auditSchedule: "0 0 1 1 *",
		});
		this.#controller.start();
		await eventually(
			() => log.lines.map(({ message }) => message),
			(said) => expect(said.join("\n")).toMatch(/^leads/m),
		);
	}

	/** Starts a controller that is killed; resolves when it is, or when `done` does because it had no such write to do. */
	async runUntil(death: Death, done: () => Promise<unknown>): Promise<void> {
		const mortal = mortalClient(await clusterClient(this.cluster), death);
		await this.run(mortal.client);
		await Promise.race([mortal.died, done()]);
		// The dead reach nothing: this only frees what they held in this process.
		await this.halt();
	}

	async halt(): Promise<void> {
		await this.#controller?.stop();
		this.#controller = undefined;
	}

	async stop(): Promise<void> {
		await this.halt();
		this.client.close();
		await this.cluster.stop();
	}

	/** Takes every Service, reservation and pool away, and resolves when they are gone. */
	async clear(): Promise<void> {
		for (const resource of [
			resources.services,
			resources.addressReservations,
			resources.addressPools,
		]) {
			const remaining = async () =>
				(await this.#all(resource)).filter(
					({ metadata }) => metadata.name !== "kubernetes",
				);
			for (const { metadata } of await remaining())
				await this.#delete(resource, metadata.name, metadata.namespace);
			await eventually(remaining, (left) => expect(left).toEqual([]));
		}
	}

	/** Creates the pool, or puts this spec in place of its own. */
	async pool(
		name: string,
		addresses: string | string[],
		spec: Partial<AddressPool["spec"]> = {},
	): Promise<void> {
		await this.make(resources.addressPools, {
			metadata: { name },
			spec: { addresses: [addresses].flat(), ...spec },
		});
	}

	async reserve(
		name: string,
		spec: AddressReservation["spec"],
	): Promise<AddressReservation> {
		return this.make(resources.addressReservations, {
			metadata: { ...named(name) },
			spec,
		});
	}

	async service(name: string, wishes: Wishes = {}): Promise<Service> {
		return this.make(resources.services, labService(name, wishes));
	}

	async patch(resource: Resource, name: string, body: object): Promise<void> {
		const ref = resource.namespaced ? named(name) : { name };
		await this.client.patch(resource, ref, { type: "merge", body });
	}

	/** Deletes the Service and resolves when it is gone. */
	async drop(name: string): Promise<void> {
		const { namespace, name: own } = named(name);
		await this.#delete(resources.services, own, namespace);
		await this.gone(name);
	}

	async gone(name: string): Promise<void> {
		await eventually(
			async () => (await this.get(name)) === undefined,
			(gone) => expect(gone).toBe(true),
		);
	}

	async unreserve(name: string): Promise<void> {
		const { namespace, name: own } = named(name);
		await this.#delete(resources.addressReservations, own, namespace);
	}

	async dropPool(name: string): Promise<void> {
		await this.#delete(resources.addressPools, name);
	}

	get(name: string): Promise<Service | undefined> {
		return this.#read<Service>(resources.services, named(name));
	}

	/** Resolves when these, in this order, are the Service's addresses, recorded and shown. */
	async has(name: string, ...addresses: string[]): Promise<Service> {
		const service = await eventually(
			() => this.get(name),
			(found) =>
				expect({
					shown: found?.status?.loadBalancer?.ingress?.map(({ ip }) => ip),
					recorded: found && assignmentOf(found)?.addresses,
					because: found && said(found),
				}).toMatchObject({ shown: addresses, recorded: addresses }),
		);
		return service as Service;
	}

	/** Resolves when the Service has no address, for this reason. */
	async waits(name: string, reason: string, message = /./): Promise<void> {
		await eventually(
			() => this.get(name),
			(found) => {
				expect(found?.status?.loadBalancer?.ingress ?? []).toEqual([]);
				expect(found && said(found)).toMatchObject({
					status: "False",
					reason,
					message: expect.stringMatching(message),
				});
			},
		);
	}

	/** Resolves when condition AddressAssigned is True for this reason. */
	async says(name: string, reason: string, message = /./): Promise<void> {
		await eventually(
			() => this.get(name),
			(found) =>
				expect(found && said(found)).toMatchObject({
					status: "True",
					reason,
					message: expect.stringMatching(message),
				}),
		);
	}

	/** Resolves when the pool's status is like this. */
	async poolStatus(name: string, like: object): Promise<void> {
		await eventually(
			() => this.#read<AddressPool>(resources.addressPools, { name }),
			(found) => expect(found?.status).toMatchObject(like),
		);
	}

	/** Resolves when the pool's condition is so. */
	async poolSays(
		name: string,
		type: string,
		reason: string,
		message = /./,
	): Promise<void> {
		await eventually(
			() => this.#read<AddressPool>(resources.addressPools, { name }),
			(found) =>
				expect(of(found?.status?.conditions, type)).toMatchObject({
					reason,
					message: expect.stringMatching(message),
				}),
		);
	}

	/** Resolves when the reservation has these addresses and condition Ready has this reason. */
	async reserved(
		name: string,
		reason: string,
		addresses: string[],
		bound?: string,
	): Promise<void> {
		await eventually(
			() =>
				this.#read<AddressReservation>(
					resources.addressReservations,
					named(name),
				),
			(found) =>
				expect({
					reason: of(found?.status?.conditions, "Ready")?.reason,
					addresses: found?.status?.addresses ?? [],
					bound: found?.status?.bound,
				}).toEqual({ reason, addresses, bound }),
		);
	}

	/** Creates the object, or puts this spec, and its annotations, in place of its own. */
	async make<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
		const kind = {
			apiVersion: resource.group ? group : "v1",
			kind: resource.kind,
		};
		try {
			return await this.client.create<T>(resource, { ...kind, ...object });
		} catch (error) {
			if (!isFairleadError(error, "KubeConflict")) throw error;
			const { namespace, name, annotations } = object.metadata;
			const { spec } = object as T & { spec: object };
			const body = [{ op: "replace", path: "/spec", value: spec }];
			if (annotations)
				await this.client.patch(
					resource,
					{ ...(namespace === undefined ? {} : { namespace }), name },
					{ type: "merge", body: { metadata: { annotations } } },
				);
			return this.client.patch<T>(
				resource,
				{ ...(namespace === undefined ? {} : { namespace }), name },
				{ type: "json", body },
			);
		}
	}

	async #read<T extends KubeObject>(
		resource: Resource,
		ref: { namespace?: string; name: string },
	): Promise<T | undefined> {
		try {
			return await this.client.get<T>(resource, ref);
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return undefined;
			throw error;
		}
	}

	/** None of a kind that is not installed. */
	async #all(resource: Resource): Promise<KubeObject[]> {
		try {
			return (await this.client.list(resource)).items;
		} catch (error) {
			if (isFairleadError(error, "KubeNotFound")) return [];
			throw error;
		}
	}

	async #delete(
		resource: Resource,
		name: string,
		namespace?: string,
	): Promise<void> {
		try {
			await this.client.delete(resource, {
				name,
				...(namespace === undefined ? {} : { namespace }),
			});
		} catch (error) {
			if (!isFairleadError(error, "KubeNotFound")) throw error;
		}
	}
}

function said(service: Service): Condition | undefined {
	return of(service.status?.conditions, conditions.addressAssigned);
}

function of(
	list: Condition[] | undefined,
	type: string,
): Condition | undefined {
	return list?.find((each) => each.type === type);
}
