import { jest } from "@jest/globals";
import { join } from "node:path";
import { Registry } from "prom-client";
import type { Node, Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	ExternalIPPolicy,
} from "../../operator/api/fairlead.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { annotations, conditions } from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import {
	type KubeClient,
	type Resource,
	resources,
} from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { Controller } from "../../operator/controller/controller.ts";
import {
	type Cluster,
	type ClusterOptions,
	startCluster,
} from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(120_000);

const root = join(import.meta.dirname, "../..");
const admission = join(
	root,
	"helm/fairlead/templates/external-ip-admission.yaml",
);
const namespace = "shop";

/** A control plane with the kinds of fairlead.dev, and a controller that a test starts and stops. */
class World {
	readonly cluster: Cluster;
	readonly client: KubeClient;
	#controller: Controller | undefined;

	private constructor(cluster: Cluster, client: KubeClient) {
		this.cluster = cluster;
		this.client = client;
	}

	static async start(options: ClusterOptions = {}): Promise<World> {
		const cluster = await startCluster({ dualStack: true, ...options });
		const world = new World(cluster, await clientOf(cluster));
		await world.apply(join(root, "crds"));
		const established = await cluster.kubectl([
			...["wait", "--for=condition=Established", "--timeout=30s"],
			...[
				"crd/externalippolicies.fairlead.dev",
				"crd/addresspools.fairlead.dev",
			],
		]);
		if (established.code !== 0) throw new Error(established.stderr);
		await world.make(resources.namespaces, {
			metadata: { name: namespace, labels: { team: "a" } },
		});
		return world;
	}

	async apply(file: string): Promise<void> {
		const { code, stderr } = await this.cluster.kubectl([
			"apply",
			`--filename=${file}`,
		]);
		if (code !== 0) throw new Error(stderr);
	}

	async begin(): Promise<void> {
		const [clock, log] = [systemClock, quietLog()];
		this.#controller = new Controller({
			client: await clientOf(this.cluster),
			clock,
			random: Math.random,
			log,
			metrics: new Registry(),
			identity: "test",
			leaseNamespace: undefined,
			clusterId: undefined,
			workers: 4,
			auditSchedule: "0 0 1 1 *",
		});
		this.#controller.start();
	}

	async end(): Promise<void> {
		await this.#controller?.stop();
		this.#controller = undefined;
	}

	async stop(): Promise<void> {
		await this.end();
		this.client.close();
		await this.cluster.stop();
	}

	make<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
		return this.client.create(resource, {
			apiVersion: resource.group
				? `${resource.group}/${resource.version}`
				: "v1",
			kind: resource.kind,
			...object,
		});
	}

	pool(
		name: string,
		addresses: string[],
		spec: Partial<AddressPool["spec"]> = {},
	): Promise<AddressPool> {
		return this.make(resources.addressPools, {
			metadata: { name },
			spec: { addresses, uses: ["ExternalIP"], ...spec },
		});
	}

	service(
		name: string,
		{ externalIPs, asks }: { externalIPs?: string[]; asks?: string } = {},
	): Promise<Service> {
		return this.make(resources.services, {
			metadata: {
				name,
				namespace,
				...(asks === undefined
					? {}
					: { annotations: { [annotations.externalIPs]: asks } }),
			},
			spec: { ports: [{ port: 80 }], ...(externalIPs ? { externalIPs } : {}) },
		} satisfies Service);
	}

	get(name: string): Promise<Service> {
		return this.client.get<Service>(resources.services, { namespace, name });
	}

	patch(name: string, body: object): Promise<Service> {
		return this.client.patch<Service>(
			resources.services,
			{ namespace, name },
			{ type: "merge", body },
		);
	}

	async says(name: string, text: string): Promise<void> {
		await eventually(
			async () => {
				const { status } = await this.get(name);
				const found = status?.conditions?.find(
					({ type }) => type === conditions.externalIPs,
				);
				return found
					? `${found.status}/${found.reason}: ${found.message}`
					: "nothing";
			},
			(said) => expect(said).toContain(text),
		);
	}

	async has(name: string, addresses: string[]): Promise<void> {
		await eventually(
			async () => (await this.get(name)).spec.externalIPs ?? [],
			(found) => expect(found).toEqual(addresses),
		);
	}

	policy(): Promise<ExternalIPPolicy> {
		return this.client.get<ExternalIPPolicy>(resources.externalIPPolicies, {
			name: "compiled",
		});
	}
}

async function clientOf(cluster: Cluster): Promise<KubeClient> {
	const [clock, log] = [systemClock, quietLog()];
	return createKubeClient(
		await loadConnection({ path: cluster.kubeconfigPath, clock, log }),
		{ clock, log, userAgent: "test" },
	);
}

const recordOf = ({ metadata }: Service): unknown => {
	const text = metadata.annotations?.[annotations.assignedExternalIPs];
	return text === undefined
		? undefined
		: (JSON.parse(text) as { addresses: unknown }).addresses;
};

describe("a cluster with several pools, ranges and old Services", () => {
	let world: World;
	beforeAll(async () => {
		world = await World.start();
		// What was there before Fairlead.
		await world.service("old-good", { externalIPs: ["198.51.100.5"] });
		await world.service("old-bad", { externalIPs: ["8.8.8.8"] });
		await world.service("old-node", { externalIPs: ["203.0.113.12"] });
		await world.service("old-twin", { externalIPs: ["198.51.100.5"] });
		await world.make(resources.nodes, {
			metadata: { name: "node-1" },
		} satisfies Node);
		await world.client.patch(
			resources.nodes,
			{ name: "node-1", subresource: "status" },
			{
				type: "merge",
				body: {
					status: {
						addresses: [{ type: "InternalIP", address: "203.0.113.12" }],
					},
				},
			},
		);
		await world.pool("everybody", ["198.51.100.0/28"], { autoAssign: false });
		await world.pool(
			"team-a",
			["203.0.113.10-203.0.113.20", "2001:db8::10-2001:db8::1f"],
			{
				namespaceSelector: { matchLabels: { team: "a" } },
			},
		);
		await world.pool("team-b", ["192.0.2.0/24"], {
			namespaceSelector: { matchLabels: { team: "b" } },
		});
		await world.pool("inside", ["10.96.0.0/24"]);
		await world.begin();
		await eventually(
			() => world.policy(),
			(found) => expect(found.spec.grants).toHaveLength(4),
		);
		await world.apply(admission);
		// From when on admission goes by the policy.
		await eventually(
			() =>
				world.service("sentinel", { externalIPs: ["9.9.9.9"] }).then(
					() =>
						world.client
							.delete(resources.services, { namespace, name: "sentinel" })
							.then(() => "accepted"),
					(error: Error) => error.message,
				),
			(said) =>
				expect(said).toContain("spec.externalIPs: 9.9.9.9: no AddressPool"),
		);
	});
	afterAll(() => world?.stop());

	it("has its pools compiled, ranges as CIDRs, and denies its nodes', Services' and API's own addresses", async () => {
		const { spec } = await world.policy();
		expect(
			spec.grants.map(({ pool, cidrs }) => `${pool}: ${cidrs.join(" ")}`),
		).toEqual([
			"everybody: 198.51.100.0/28",
			"inside: 10.96.0.0/24",
			"team-a: 203.0.113.10/31 203.0.113.12/30 203.0.113.16/30 203.0.113.20/32 2001:db8::10/124",
			"team-b: 192.0.2.0/24",
		]);
		// The last is where the Kubernetes API says it is.
		expect(spec.denied).toEqual([
			"10.96.0.0/24",
			"203.0.113.12/32",
			"192.0.2.1/32",
		]);
	});

	test.each<[string, string, string]>([
		[
			"an address that a pool grants is in order",
			"old-good",
			"True/Granted: 198.51.100.5 (pool everybody)",
		],
		[
			"other people's address is found out",
			"old-bad",
			"False/NotGranted: 8.8.8.8 is in no AddressPool",
		],
		[
			"a node's address is found out",
			"old-node",
			"False/AddressOfCluster: 203.0.113.12 is one of the cluster's own addresses, which no Service may take (it is an address of Node node-1)",
		],
		[
			"the address and port of an older one waits for that one",
			"old-twin",
			"False/AddressInUse: 198.51.100.5 TCP/80 is served by Service shop/old-good",
		],
	])("an old Service with %s", async (_what, name, text) => {
		await world.says(name, text);
	});

	it("has one Warning event for each old Service that is out of order", async () => {
		await eventually(
			async () => {
				const { items } = await world.client.list<
					KubeObject & {
						reason?: string;
						regarding?: { name?: string };
						reportingController?: string;
						type?: string;
					}
				>(resources.events, { namespace });
				// The API server has findings of its own about the ClusterIPs of Services this new.
				return items
					.filter(
						({ regarding, reportingController }) =>
							regarding?.name?.startsWith("old-") &&
							reportingController === "fairlead.dev/controller",
					)
					.map(
						({ regarding, reason, type }) =>
							`${type} ${regarding?.name} ${reason}`,
					)
					.sort();
			},
			(list) =>
				expect(list).toEqual([
					"Warning old-bad NotGranted",
					"Warning old-node AddressOfCluster",
					"Warning old-twin AddressInUse",
				]),
		);
	});

	it("lets an old Service be edited and deleted, which its address would not let it be made", async () => {
		await world.patch("old-bad", { metadata: { labels: { seen: "yes" } } });
		await world.client.delete(resources.services, {
			namespace,
			name: "old-bad",
		});
		await expect(
			world.service("old-bad", { externalIPs: ["8.8.8.8"] }),
		).rejects.toThrow("8.8.8.8: no AddressPool");
	});

	it("assigns by annotation through its own admission, of the pool that admits the namespace", async () => {
		await world.service("auto", { asks: "auto" });
		await world.has("auto", ["203.0.113.10"]);
		await world.says("auto", "True/Granted: 203.0.113.10 (pool team-a)");
		expect(recordOf(await world.get("auto"))).toEqual(["203.0.113.10"]);
	});

	it("assigns from the pool that is named, and takes it back when the annotation goes", async () => {
		await world.service("named", {
			asks: "everybody",
			externalIPs: ["198.51.100.9"],
		});
		await world.has("named", ["198.51.100.9", "198.51.100.0"]);
		await world.patch("named", {
			metadata: { annotations: { [annotations.externalIPs]: null } },
		});
		await world.has("named", ["198.51.100.9"]);
		await eventually(
			async () => recordOf(await world.get("named")),
			(record) => expect(record).toBeUndefined(),
		);
		await world.says("named", "True/Granted: 198.51.100.9 (pool everybody)");
	});

	it("repairs the policy when somebody opens it to everybody", async () => {
		const before = await world.policy();
		await world.client.patch(
			resources.externalIPPolicies,
			{ name: "compiled" },
			{
				type: "merge",
				body: { spec: { grants: [{ pool: "evil", cidrs: ["0.0.0.0/0"] }] } },
			},
		);
		await eventually(
			() => world.policy(),
			({ spec }) => expect(spec).toEqual(before.spec),
		);
	});

	it("makes the policy anew when somebody deletes it, and Services can be made again", async () => {
		const before = await world.policy();
		await world.client.delete(resources.externalIPPolicies, {
			name: "compiled",
		});
		await eventually(
			() =>
				world.policy().then(
					({ metadata, spec }) => ({ uid: metadata.uid, spec }),
					() => undefined,
				),
			(found) => {
				expect(found?.spec).toEqual(before.spec);
				expect(found?.uid).not.toBe(before.metadata.uid);
			},
		);
		await eventually(
			() =>
				world.service("after", { externalIPs: ["198.51.100.7"] }).then(
					() => "made",
					(error: Error) => error.message,
				),
			(said) => expect(said).toMatch(/made|already exists/),
		);
	});

	it("is left as it is by a controller that starts again", async () => {
		await world.says("after", "True/Granted");
		await world.end();
		const versions = async () => {
			const { items } = await world.client.list<Service>(resources.services, {
				namespace,
			});
			const { metadata } = await world.policy();
			return [
				metadata.resourceVersion,
				...items.map(
					(each) => `${each.metadata.name} ${each.metadata.resourceVersion}`,
				),
			];
		};
		const before = await versions();
		await world.begin();
		// When a new Service is looked after, those that were there before have been.
		await world.service("later", { asks: "team-a" });
		await world.has("later", ["203.0.113.11"]);
		await world.says("later", "True/Granted");
		const after = await versions();
		expect(after.filter((line) => !line?.startsWith("later "))).toEqual(before);
	});
});

describe("a cluster whose API server refuses spec.externalIPs (admission plugin DenyServiceExternalIPs)", () => {
	let world: World;
	beforeAll(async () => {
		world = await World.start({
			apiServerArgs: ["--enable-admission-plugins=DenyServiceExternalIPs"],
		});
		await world.pool("a", ["203.0.113.8/31"]);
		await world.begin();
	});
	afterAll(() => world?.stop());

	it("assigns all the same, by the record alone, and says where that is carried", async () => {
		await world.service("web", { asks: "auto" });
		await world.says(
			"web",
			"True/AssignedOutsideSpec: 203.0.113.8 (pool a); carried only by nodes whose rules Fairlead programs",
		);
		const web = await world.get("web");
		expect(web.spec.externalIPs ?? []).toEqual([]);
		expect(recordOf(web)).toEqual(["203.0.113.8"]);
	});

	it("gives the address to the next one when its Service is deleted", async () => {
		await world.pool("one", ["203.0.113.20/32"], { autoAssign: false });
		await world.service("first", { asks: "one" });
		await world.says("first", "True/AssignedOutsideSpec");
		await world.service("second", { asks: "one" });
		await world.says("second", "False/PoolFull: pool one: full");
		await world.client.delete(resources.services, { namespace, name: "first" });
		await world.says(
			"second",
			"True/AssignedOutsideSpec: 203.0.113.20 (pool one)",
		);
	});

	it("says of a pool for which the policy has no room, and to who asks for it, what to do; and takes it back", async () => {
		// A range of 158 CIDRs each: twenty of them fit once, and not twice.
		const ranges = (of: number) =>
			Array.from(
				{ length: 20 },
				(_, at) =>
					`2001:db8:${of}${at}::1-2001:db8:${of}${at}:ffff:ffff:ffff:ffff:fffe`,
			);
		await world.pool("big-1", ranges(1), { autoAssign: false });
		await world.pool("big-2", ranges(2), { autoAssign: false });
		const condition = async (name: string) => {
			const { status } = await world.client.get<AddressPool>(
				resources.addressPools,
				{ name },
			);
			const found = status?.conditions?.find(
				({ type }) => type === "ExternalIPsGranted",
			);
			return found && `${found.status} ${found.reason}: ${found.message}`;
		};
		await eventually(
			() => condition("big-2"),
			(text) =>
				expect(text).toMatch(
					/^False PolicyFull: .*no room .*write them as fewer, larger CIDRs/,
				),
		);
		expect(await condition("big-1")).toBeUndefined();
		await world.make(resources.services, {
			metadata: {
				name: "big",
				namespace,
				annotations: { [annotations.externalIPs]: "big-2" },
			},
			spec: { ports: [{ port: 80 }], ipFamilies: ["IPv6"] },
		} as Service);
		await world.says(
			"big",
			"False/NotGranted: assigned: 2001:db8:20::1 (pool big-2); 2001:db8:20::1 is in AddressPool big-2, for which ExternalIPPolicy compiled has no room",
		);
		await world.client.delete(resources.addressPools, { name: "big-1" });
		await eventually(
			() => condition("big-2"),
			(text) => expect(text).toMatch(/^True Compiled/),
		);
	});
});
