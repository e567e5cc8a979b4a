import { join } from "node:path";
import type {
	EndpointSlice,
	IPFamily,
	Node,
	Service,
} from "../../operator/api/core.ts";
import type { ExternalIPPolicy } from "../../operator/api/fairlead.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import type { Cluster } from "../support/cluster.ts";
import { clusterClient } from "../support/cluster-client.ts";
import type { PacketWorld } from "../support/packet-world.ts";
import {
	endpointOf,
	type SliceText,
	type Subject,
	type SubjectAddresses,
} from "./kube-proxy-differential-subject.ts";

const families = ["IPv4", "IPv6"] as const;
export const nodeName = "node-1";
const granted: Record<IPFamily, string> = {
	IPv4: "198.51.100.",
	IPv6: "2001:db8:100::",
};
const ungranted: Record<IPFamily, string> = {
	IPv4: "198.51.101.",
	IPv6: "2001:db8:101::",
};
const ingress: Record<IPFamily, string> = {
	IPv4: "203.0.113.",
	IPv6: "2001:db8:113::",
};

/** A Service as it was created, and how to ask it. */
export interface Asked {
	service: Service;
	addresses: SubjectAddresses;
}

/** Writes subjects to an API server, with addresses of their own. */
export class Desk {
	readonly client: KubeClient;
	readonly #world: PacketWorld;
	#services = 0;
	#ingress = 9;
	#externalIPs = 0;

	private constructor(client: KubeClient, world: PacketWorld) {
		this.client = client;
		this.#world = world;
	}

	/** Has the Node written, and what Fairlead checks external IPs against. */
	static async open(cluster: Cluster, world: PacketWorld): Promise<Desk> {
		const client = await clusterClient(cluster);
		const desk = new Desk(client, world);
		const crd = join(import.meta.dirname, "../../crds/externalippolicy.yaml");
		for (const args of [
			["apply", "-f", crd],
			[
				"wait",
				"--for=condition=Established",
				"crd/externalippolicies.fairlead.dev",
			],
			["create", "namespace", "fairlead-system"],
		]) {
			const { code, stderr } = await cluster.kubectl(args);
			if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
		}
		await client.create<ExternalIPPolicy>(resources.externalIPPolicies, {
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "ExternalIPPolicy",
			metadata: { name: "compiled" },
			spec: {
				grants: [
					{
						pool: "all",
						cidrs: [`${granted.IPv4}0/24`, `${granted.IPv6}/64`],
					},
				],
				denied: [],
			},
		});
		await desk.#writeNode();
		return desk;
	}

	async #writeNode(): Promise<void> {
		await this.client.create<Node>(resources.nodes, {
			apiVersion: "v1",
			kind: "Node",
			metadata: {
				name: nodeName,
				labels: { "topology.kubernetes.io/zone": "zone-a" },
			},
			spec: { podCIDRs: ["10.244.1.0/24", "2001:db8:244:1::/64"] },
			status: {
				addresses: families.map((family) => ({
					type: "InternalIP",
					address: this.#world.addressOf("node", family),
				})),
			},
		});
	}

	async write(subject: Subject): Promise<Asked> {
		const name = `service-${++this.#services}`;
		const addresses = this.#addresses(subject);
		const created = await this.client.create<Service>(
			resources.services,
			serviceOf(name, subject, addresses),
		);
		const status = {
			...(subject.ingress && {
				loadBalancer: {
					ingress: families.map((family) => ({
						ip: addresses.ingress[family],
						ipMode: subject.ingress,
					})),
				},
			}),
			...subject.status?.(addresses),
		};
		await Promise.all([
			...(Object.keys(status).length > 0
				? [
						this.client.patch<Service>(
							resources.services,
							{ namespace: "default", name, subresource: "status" },
							{ type: "merge", body: { status } },
						),
					]
				: []),
			...this.slicesOf(name, subject.slices).map((slice) =>
				this.client.create<EndpointSlice>(resources.endpointSlices, slice),
			),
		]);
		return { service: created, addresses };
	}

	/** Deletes the Service and its slices. */
	async remove({ service }: Asked): Promise<void> {
		const { name } = service.metadata;
		const slices = await this.client.list<EndpointSlice>(
			resources.endpointSlices,
			{ labelSelector: `kubernetes.io/service-name=${name}` },
		);
		await this.client.delete(resources.services, {
			namespace: "default",
			name,
		});
		for (const { metadata } of slices.items)
			await this.client.delete(resources.endpointSlices, {
				namespace: "default",
				name: metadata.name,
			});
	}

	slicesOf(service: string, slices: readonly SliceText[]): EndpointSlice[] {
		return slices.flatMap((slice, index) =>
			(slice.families ?? families).map((family) => ({
				apiVersion: "discovery.k8s.io/v1",
				kind: "EndpointSlice",
				metadata: {
					name: `${service}-${index}-${family.toLowerCase()}`,
					namespace: "default",
					labels: { "kubernetes.io/service-name": service, ...slice.labels },
				},
				addressType: family,
				endpoints: slice.endpoints.map((text) =>
					endpointOf(text, (place) => this.#world.addressOf(place, family)),
				),
				ports: (
					slice.ports ?? [
						{ name: "tcp", protocol: "TCP" as const, port: 8080 },
						{ name: "udp", protocol: "UDP" as const, port: 8080 },
					]
				).map((port) => ({ protocol: "TCP" as const, ...port })),
			})),
		);
	}

	#addresses(subject: Subject): SubjectAddresses {
		const prefix = subject.ungranted ? ungranted : granted;
		const balancer = ++this.#ingress;
		const externals = Array.from(
			{ length: subject.externalIPs ?? 0 },
			() => ++this.#externalIPs,
		);
		const each = <T>(make: (family: IPFamily) => T) => ({
			IPv4: make("IPv4"),
			IPv6: make("IPv6"),
		});
		return {
			ingress: each((family) => `${ingress[family]}${balancer}`),
			externalIPs: each((family) =>
				externals.map((number) => `${prefix[family]}${number}`),
			),
		};
	}
}

function serviceOf(
	name: string,
	subject: Subject,
	addresses: SubjectAddresses,
): Service {
	const { IPv4, IPv6 } = addresses.externalIPs;
	const written = subject.leadingZeros
		? IPv4.map((address) => address.replace(/(\d+)$/, "0$1"))
		: IPv4;
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: {
			name,
			namespace: "default",
			...(subject.labels && { labels: subject.labels }),
			...(subject.annotations && {
				annotations: subject.annotations(addresses),
			}),
		},
		spec: {
			...(subject.spec?.type !== "ExternalName" && {
				ipFamilyPolicy: "RequireDualStack",
			}),
			ports: [
				{ name: "tcp", port: 80, protocol: "TCP" },
				{ name: "udp", port: 80, protocol: "UDP" },
			],
			...(IPv4.length > 0 && { externalIPs: [...written, ...IPv6] }),
			...subject.spec,
		},
	};
}
