import type { LoadBalancerIngress, Service } from "../../operator/api/core.ts";
import type { BalancerClass } from "../../operator/api/fairlead.ts";
import { conditions } from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { eventually } from "../support/eventually.ts";
import type { Fairlead } from "../support/fairlead.ts";
import { quietLog } from "../support/quiet-log.ts";
import type { World } from "../support/world.ts";

/** A balancer of the fake cloud, as far as rows look at it. */
export interface CloudView {
	id: number;
	labels: Record<string, string>;
	services: {
		protocol: string;
		listen_port: number;
		destination_port: number;
		source_ranges?: string[] | null;
		affinity_seconds?: number | null;
		health_check: {
			protocol: string;
			port: number;
			http?: { path: string } | null;
		};
	}[];
	targets: unknown[];
}

/** One row of the table: a sentence, and what makes it true. `name` is a Service name nobody else uses. */
export type Row = [
	sentence: string,
	play: (desk: Desk, name: string) => Promise<void>,
];

const namespace = "default";

/** What users and other controllers do with Services, on a real API server, and what comes of it. */
export class Desk {
	readonly client: KubeClient;
	readonly world: World;
	readonly controller: Fairlead;

	private constructor(world: World, client: KubeClient, controller: Fairlead) {
		this.world = world;
		this.client = client;
		this.controller = controller;
	}

	static async open(world: World, controller: Fairlead): Promise<Desk> {
		const sources = { clock: systemClock, log: quietLog() };
		const connection = await loadConnection({
			path: world.cluster.kubeconfigPath,
			...sources,
		});
		const client = createKubeClient(connection, {
			...sources,
			userAgent: "somebody-else/0",
		});
		return new Desk(world, client, controller);
	}

	/** A Service of type LoadBalancer with port 80, through class `lab` unless `spec` says otherwise (null: without class). */
	create(
		name: string,
		spec: Omit<Partial<Service["spec"]>, "loadBalancerClass"> & {
			loadBalancerClass?: string | null;
		} = {},
		metadata: Partial<Service["metadata"]> = {},
	): Promise<Service> {
		const { loadBalancerClass = lab, ...rest } = spec;
		return this.client.create<Service>(resources.services, {
			metadata: { namespace, name, ...metadata },
			spec: {
				type: "LoadBalancer",
				ports: [{ name: "http", port: 80 }],
				...(loadBalancerClass === null ? {} : { loadBalancerClass }),
				...rest,
			},
		});
	}

	get(name: string): Promise<Service> {
		return this.client.get<Service>(resources.services, { namespace, name });
	}

	/** A merge patch, as somebody else sends it. */
	patch(name: string, body: object, subresource?: "status"): Promise<Service> {
		return this.client.patch<Service>(
			resources.services,
			{ namespace, name, ...(subresource ? { subresource } : {}) },
			{ type: "merge", body },
		);
	}

	spec(name: string, spec: object): Promise<Service> {
		return this.patch(name, { spec });
	}

	until(name: string, holds: (service: Service) => void): Promise<Service> {
		return eventually(() => this.get(name), holds);
	}

	/** Waits for it to be served; its ingress addresses. */
	async served(name: string, count = 1): Promise<string[]> {
		const service = await this.until(name, (found) => {
			expect(ips(found)).toHaveLength(count);
			expect(said(found, conditions.provisioned)).toMatch(/^True\//);
		});
		return ips(service);
	}

	/** Waits for condition AddressAssigned (or another) to be `STATUS/REASON`. */
	says(
		name: string,
		expected: string,
		type: string = conditions.addressAssigned,
	) {
		return this.until(name, (found) =>
			expect(said(found, type)).toBe(expected),
		);
	}

	async remove(name: string): Promise<void> {
		await this.client.delete(resources.services, { namespace, name });
		await this.gone(name);
	}

	gone(name: string): Promise<string> {
		return eventually(
			() =>
				this.get(name).then(
					() => "there",
					(error: { code: string }) => error.code,
				),
			(code) => expect(code).toBe("KubeNotFound"),
		);
	}

	/** The balancers of the Service on the cloud, as soon as `holds`. */
	cloud(
		service: Service | string,
		holds: (balancers: CloudView[]) => void,
	): Promise<CloudView[]> {
		const name = typeof service === "string" ? service : service.metadata.name;
		return eventually(async () => {
			const all = (await this.world.balancers()) as unknown as CloudView[];
			return all.filter(
				({ labels }) => labels["fairlead.dev/service-name"] === name,
			);
		}, holds);
	}

	/** `PROTOCOL/PORT>NODEPORT` of each listener of the Service's only balancer, as soon as they are these. */
	listeners(name: string, expected: string[]): Promise<CloudView[]> {
		return this.cloud(name, ([only, ...others]) => {
			expect(others).toEqual([]);
			expect(
				only?.services
					.map(
						(each) =>
							`${each.protocol}/${each.listen_port}>${each.destination_port}`,
					)
					.sort(),
			).toEqual(expected);
		});
	}

	balancerClass(name: string, spec: BalancerClass["spec"]) {
		return this.client.create<BalancerClass>(resources.balancerClasses, {
			metadata: { name },
			spec,
		});
	}

	/** The class whose balancers the fake cloud makes. */
	cloudClass(): Promise<BalancerClass> {
		return this.client.get(resources.balancerClasses, { name: "cloud" });
	}

	/** Waits for condition Ready of a class to be `STATUS/REASON`; its message. */
	async ready(name: string, expected: string): Promise<string> {
		const found = await eventually(
			() => this.client.get<BalancerClass>(resources.balancerClasses, { name }),
			({ status }) => {
				const ready = status?.conditions?.find(({ type }) => type === "Ready");
				expect(`${ready?.status}/${ready?.reason}`).toBe(expected);
			},
		);
		return found.status?.conditions?.[0]?.message ?? "";
	}

	async removeClass(name: string): Promise<void> {
		await this.client.delete(resources.balancerClasses, { name });
	}

	/** While `meanwhile` runs, the controller does not: it hears of everything afterwards. */
	async unseen(meanwhile: () => Promise<void>): Promise<void> {
		this.controller.child.kill("SIGSTOP");
		try {
			await meanwhile();
		} finally {
			this.controller.child.kill("SIGCONT");
		}
	}

	close(): void {
		this.client.close();
	}
}

export const lab = "fairlead.dev/lab";
export const cloud = "fairlead.dev/cloud";

export function ips(service: Service): string[] {
	return (service.status?.loadBalancer?.ingress ?? []).map(
		(each: LoadBalancerIngress) => each.ip ?? "",
	);
}

export function said(service: Service, type: string): string | undefined {
	const found = service.status?.conditions?.find((each) => each.type === type);
	return found && `${found.status}/${found.reason}`;
}

/** What of ours stands on a Service. */
export function marks({ metadata, status }: Service): string[] {
	return [
		...Object.keys(metadata.annotations ?? {}),
		...(metadata.finalizers ?? []),
		...(status?.conditions ?? []).map(({ type }) => type),
		...(status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? ""),
	].filter((mark) => !mark.startsWith("example.com/"));
}
