import { jest } from "@jest/globals";
import nock from "nock";
import { Registry } from "prom-client";
import type { Node, Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	ExternalIPPolicy,
} from "../../operator/api/fairlead.ts";
import { annotations, conditions } from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { Controller } from "../../operator/controller/controller.ts";
import { eventually as within } from "../support/eventually.ts";
import { NockKubernetes } from "../support/nock-kubernetes.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(30_000);

const origin = "http://kube.test";
const json = { "content-type": "application/json" };
const specPath = "/api/v1/namespaces/shop/services/web";

const pool = (
	name: string,
	addresses: string[],
	spec: Partial<AddressPool["spec"]> = {},
): AddressPool => ({
	metadata: { name, uid: `pool-${name}` },
	spec: { addresses, uses: ["ExternalIP"], ...spec },
});
interface Wish {
	externalIPs?: string[];
	asks?: string;
	port?: number;
	created?: string;
	spec?: Partial<Service["spec"]>;
	status?: Service["status"];
}
const service = (
	name: string,
	{
		externalIPs,
		asks,
		port = 80,
		created = "2026-01-02T00:00:00Z",
		spec,
		status,
	}: Wish = {},
): Service => ({
	metadata: {
		namespace: "shop",
		name,
		uid: `uid-${name}`,
		creationTimestamp: created,
		...(asks === undefined
			? {}
			: { annotations: { [annotations.externalIPs]: asks } }),
	},
	spec: {
		type: "ClusterIP",
		ipFamilies: ["IPv4"],
		ports: [{ port, protocol: "TCP" }],
		...(externalIPs ? { externalIPs } : {}),
		...spec,
	},
	...(status ? { status } : {}),
});

const nodeAt = (...addresses: string[]): Node => ({
	metadata: { name: "node-9", uid: "node-9" },
	status: {
		addresses: addresses.map((address) => ({ type: "InternalIP", address })),
	},
});

let kube: NockKubernetes;
let controller: Controller | undefined;

function start(): void {
	const [log, clock] = [quietLog(), systemClock];
	controller = new Controller({
		client: createKubeClient(NockKubernetes.connection(origin), {
			clock,
			log,
			userAgent: "fairlead-controller",
		}),
		clock,
		random: Math.random,
		log,
		metrics: new Registry(),
		identity: "test",
		leaseNamespace: undefined,
		clusterId: "c1",
		workers: 4,
		auditSchedule: "0 0 1 1 *",
	});
	controller.start();
}

beforeEach(() => {
	kube = new NockKubernetes(origin);
	kube.notInstalled.clear();
	kube.set("namespaces", {
		metadata: { name: "shop", uid: "ns-1", labels: { team: "a" } },
	});
	kube.set("addresspools", pool("a", ["192.0.2.8/30"]));
});
afterEach(async () => {
	await controller?.stop();
	controller = undefined;
	kube.close();
	nock.cleanAll();
});

const get = (name: string) => kube.get<Service>("services", `shop/${name}`);
const conditionOf = (name: string): string | undefined => {
	const found = get(name)?.status?.conditions?.find(
		({ type }) => type === conditions.externalIPs,
	);
	return found && `${found.status}/${found.reason}: ${found.message}`;
};
const eventually: typeof within = (read, holds) => within(read, holds, 8_000);
const says = (name: string, text: string) =>
	eventually(
		() => conditionOf(name) ?? "",
		(said) => expect(said).toContain(text),
	);
const recorded = (name: string): unknown => {
	const text =
		get(name)?.metadata.annotations?.[annotations.assignedExternalIPs];
	return text === undefined
		? undefined
		: (JSON.parse(text) as { addresses: string[] }).addresses;
};
const has = (
	name: string,
	addresses: string[] | undefined,
	own: string[] = [],
) =>
	eventually(
		() => [recorded(name), get(name)?.spec.externalIPs],
		(found) =>
			expect(found).toEqual([addresses, addresses && [...own, ...addresses]]),
	);
const policy = () =>
	kube.get<ExternalIPPolicy>("externalippolicies", "compiled")?.spec;
const granted = () =>
	policy()?.grants.map(
		({ pool: name, cidrs }) => `${name}: ${cidrs.join(", ")}`,
	);

describe("ExternalIPPolicy compiled", () => {
	it("is made from the pools, and says what is the cluster's own of them", async () => {
		const node: Node = {
			metadata: { name: "node-1", uid: "n1" },
			status: {
				addresses: [
					{ type: "InternalIP", address: "192.0.2.9" },
					{ type: "Hostname", address: "node-1" },
				],
			},
		};
		kube.set("nodes", node);
		start();
		await eventually(granted, (list) =>
			expect(list).toEqual(["a: 192.0.2.8/30"]),
		);
		expect(policy()?.denied).toEqual(["192.0.2.9/32"]);
	});

	it("denies the address of the cluster's DNS that comes later, though no ServiceCIDR says where it is from (before 1.33)", async () => {
		start();
		await eventually(granted, (list) => expect(list).toHaveLength(1));
		const dns = (clusterIP: string) => ({
			metadata: { namespace: "kube-system", name: "kube-dns", uid: "dns" },
			spec: { clusterIP, clusterIPs: [clusterIP] },
		});
		kube.set<Service>("services", dns("192.0.2.10"));
		await eventually(policy, (spec) =>
			expect(spec?.denied).toEqual(["192.0.2.10/32"]),
		);
		kube.set<Service>("services", dns("192.0.2.8"));
		await eventually(policy, (spec) =>
			expect(spec?.denied).toEqual(["192.0.2.8/32"]),
		);
		kube.set("services", service("web", { asks: "auto" }));
		await has("web", ["192.0.2.9"]);
	});

	it("is made even without any pool, since without it every Service would be refused", async () => {
		kube.remove("addresspools", "a");
		start();
		await eventually(policy, (spec) =>
			expect(spec).toEqual({ grants: [], denied: [] }),
		);
	});

	it.each<[string, () => void]>([
		[
			"somebody edits it",
			() =>
				kube.set("externalippolicies", {
					...kube.get<ExternalIPPolicy>("externalippolicies", "compiled"),
					spec: {
						grants: [{ pool: "evil", cidrs: ["0.0.0.0/0"] }],
						denied: [],
					},
				} as ExternalIPPolicy),
		],
		[
			"somebody deletes it",
			() => kube.remove("externalippolicies", "compiled"),
		],
		[
			"a pool comes and goes",
			() => {
				kube.set("addresspools", pool("b", ["198.51.100.0/24"]));
				kube.remove("addresspools", "b");
			},
		],
	])("is what the pools say again after %s", async (_what, happens) => {
		start();
		await eventually(granted, (list) =>
			expect(list).toEqual(["a: 192.0.2.8/30"]),
		);
		happens();
		await eventually(granted, (list) =>
			expect(list).toEqual(["a: 192.0.2.8/30"]),
		);
	});

	it("follows the pools", async () => {
		start();
		await eventually(granted, (list) => expect(list).toHaveLength(1));
		kube.set(
			"addresspools",
			pool("b", ["198.51.100.7-198.51.100.8"], {
				namespaceSelector: { matchLabels: { team: "b" } },
			}),
		);
		await eventually(granted, (list) =>
			expect(list).toEqual([
				"a: 192.0.2.8/30",
				"b: 198.51.100.7/32, 198.51.100.8/32",
			]),
		);
	});

	it("is not written again by a controller that starts over what another left", async () => {
		kube.set("services", service("web", { asks: "auto" }));
		start();
		await has("web", ["192.0.2.8"]);
		await says("web", "True/Granted: 192.0.2.8 (pool a)");
		await controller?.stop();
		const before = kube
			.writes()
			.filter((line) => !line.includes("/addresspools/")).length;
		start();
		kube.set("services", service("other", { externalIPs: ["192.0.2.9"] }));
		await says("other", "True/Granted");
		const after = kube
			.writes()
			.filter((line) => !line.includes("/addresspools/"));
		expect(after.slice(before)).toEqual([
			"PATCH /api/v1/namespaces/shop/services/other/status",
		]);
	});
});

describe("an external IP that somebody wrote himself", () => {
	test.each<[string, Wish, string]>([
		[
			"that a pool grants is in order",
			{ externalIPs: ["192.0.2.9"] },
			"True/Granted: 192.0.2.9 (pool a)",
		],
		[
			"from before the policy is found out",
			{ externalIPs: ["8.8.8.8"] },
			"False/NotGranted: 8.8.8.8 is in no AddressPool with uses ExternalIP; choose",
		],
		[
			"of a pool for other namespaces is told of that pool",
			{ externalIPs: ["198.51.100.1"] },
			"False/NotGranted: 198.51.100.1 is in AddressPool b, which does not admit",
		],
		[
			"of a node is told of the node",
			{ externalIPs: ["192.0.2.10"] },
			"False/AddressOfCluster: 192.0.2.10 is one of the cluster's own addresses, which no Service may take (it is an address of Node node-1)",
		],
		[
			"in an old spelling is named",
			{ externalIPs: ["192.0.2.010"] },
			'False/AddressInvalid: "192.0.2.010" is not an IP address',
		],
		[
			"that is a Service's ClusterIP is taken",
			{ externalIPs: ["192.0.2.11"] },
			"False/AddressInUse: 192.0.2.11 is taken: it is the ClusterIP of Service shop/inner",
		],
		[
			"beside a bad one is named too",
			{ externalIPs: ["192.0.2.9", "8.8.8.8"] },
			"in order: 192.0.2.9 (pool a)",
		],
		[
			"with different troubles is told all of them",
			{ externalIPs: ["8.8.8.8", "192.0.2.10"] },
			"False/SeveralProblems: 8.8.8.8 is in no AddressPool",
		],
	])("%s", async (_what, wish, text) => {
		kube.set(
			"addresspools",
			pool("b", ["198.51.100.0/24"], {
				namespaceSelector: { matchLabels: { team: "b" } },
			}),
		);
		kube.set("nodes", {
			metadata: { name: "node-1", uid: "n1" },
			status: { addresses: [{ type: "InternalIP", address: "192.0.2.10" }] },
		} as Node);
		kube.set(
			"services",
			service("inner", {
				spec: { clusterIP: "192.0.2.11", clusterIPs: ["192.0.2.11"] },
			}),
		);
		kube.set("services", service("web", wish));
		start();
		await says("web", text);
		expect(get("web")?.spec.externalIPs).toEqual(wish.externalIPs);
	});

	it("that a balancer has is taken, until the balancer is gone", async () => {
		kube.set(
			"services",
			service("front", {
				spec: { type: "LoadBalancer" },
				status: { loadBalancer: { ingress: [{ ip: "192.0.2.9" }] } },
			}),
		);
		kube.set(
			"services",
			service("web", { externalIPs: ["192.0.2.9"], port: 81 }),
		);
		start();
		await says(
			"web",
			"False/AddressInUse: 192.0.2.9 is taken: it is the balancer address of Service shop/front",
		);
		kube.remove("services", "shop/front");
		await says("web", "True/Granted");
	});

	it("at one port with an older Service waits for that one, and is served once it moves", async () => {
		kube.set("services", service("new", { externalIPs: ["192.0.2.9"] }));
		kube.set(
			"services",
			service("old", {
				externalIPs: ["192.0.2.9"],
				created: "2026-01-01T00:00:00Z",
			}),
		);
		start();
		await says(
			"new",
			"False/AddressInUse: 192.0.2.9 TCP/80 is served by Service shop/old, which is older",
		);
		await says("old", "True/Granted");
		await eventually(
			() => kube.events(),
			(events) => expect(events).toContain("AddressInUse"),
		);
		kube.set("services", {
			...(get("old") as Service),
			spec: service("old", { externalIPs: ["192.0.2.9"], port: 443 }).spec,
		});
		await says("new", "True/Granted");
		expect(
			kube.events().filter((reason) => reason === "AddressInUse"),
		).toHaveLength(1);
	});

	it("loses to a younger Service that it is granted to, when it is not granted itself", async () => {
		kube.set(
			"addresspools",
			pool("a", ["192.0.2.8/30"], {
				serviceSelector: { matchLabels: { tier: "front" } },
			}),
		);
		kube.set(
			"services",
			service("old", {
				externalIPs: ["192.0.2.9"],
				created: "2026-01-01T00:00:00Z",
			}),
		);
		const young = service("young", { externalIPs: ["192.0.2.9"] });
		kube.set("services", {
			...young,
			metadata: { ...young.metadata, labels: { tier: "front" } },
		});
		start();
		await says("old", "False/NotGranted");
		await says("young", "True/Granted");
	});

	it("is judged anew when its namespace's labels change", async () => {
		kube.set(
			"addresspools",
			pool("a", ["192.0.2.8/30"], {
				namespaceSelector: { matchLabels: { team: "b" } },
			}),
		);
		kube.set("services", service("web", { externalIPs: ["192.0.2.9"] }));
		start();
		await says("web", "False/NotGranted");
		kube.set("namespaces", {
			metadata: { name: "shop", uid: "ns-1", labels: { team: "b" } },
		});
		await says("web", "True/Granted");
	});

	it("takes the condition with it when it is removed", async () => {
		kube.set("services", service("web", { externalIPs: ["192.0.2.9"] }));
		start();
		await says("web", "True/Granted");
		const { externalIPs: _, ...spec } = (get("web") as Service).spec;
		kube.set("services", { ...(get("web") as Service), spec });
		await eventually(
			() => conditionOf("web"),
			(said) => expect(said).toBeUndefined(),
		);
	});

	it("is restricted by nothing where the kind is not installed, and the condition says so", async () => {
		kube.notInstalled.add("externalippolicies");
		kube.set("services", service("web", { externalIPs: ["8.8.8.8"] }));
		start();
		await says(
			"web",
			"True/Unrestricted: 8.8.8.8; the kind ExternalIPPolicy is not installed",
		);
	});
});

describe("an external IP by annotation", () => {
	describe("stays over a restart, whatever became of its pool,", () => {
		it.each<[string, boolean, string[] | undefined, string]>([
			["where nothing restricts it", false, undefined, "True/Unrestricted"],
			["beside a bad one of the user's own", true, ["8.8.8.8"], "False/"],
		])("%s", async (_where, installed, own, said) => {
			if (!installed) kube.notInstalled.add("externalippolicies");
			kube.set(
				"services",
				service("web", { asks: "auto", ...(own ? { externalIPs: own } : {}) }),
			);
			start();
			await has("web", ["192.0.2.8"], own);
			await says("web", said);
			await controller?.stop();
			kube.set(
				"addresspools",
				pool("a", ["192.0.2.9-192.0.2.11"], { autoAssign: false }),
			);
			kube.set("services", service("other", { asks: "a" }));
			start();
			await has("other", ["192.0.2.9"]);
			expect(recorded("web")).toEqual(["192.0.2.8"]);
		});
	});

	it("is recorded first, then written beside what the user wrote himself", async () => {
		kube.set(
			"services",
			service("web", { asks: "auto", externalIPs: ["192.0.2.11"] }),
		);
		start();
		await eventually(
			() => get("web")?.spec.externalIPs,
			(list) => expect(list).toEqual(["192.0.2.11", "192.0.2.8"]),
		);
		expect(recorded("web")).toEqual(["192.0.2.8"]);
		const writes = kube.calls
			.filter(
				({ method, path }) => method === "PATCH" && path.startsWith(specPath),
			)
			.map(({ path }) => path);
		expect(writes).toEqual([`${specPath}/status`, specPath]);
	});

	it("is one of each family, from the pool it names", async () => {
		kube.set(
			"addresspools",
			pool("b", ["198.51.100.7/32", "2001:db8::7/128"], { autoAssign: false }),
		);
		kube.set(
			"services",
			service("web", {
				asks: "b",
				spec: {
					ipFamilies: ["IPv4", "IPv6"],
					ipFamilyPolicy: "RequireDualStack",
				},
			}),
		);
		start();
		await has("web", ["198.51.100.7", "2001:db8::7"]);
		await says(
			"web",
			"True/Granted: 198.51.100.7 (pool b), 2001:db8::7 (pool b)",
		);
	});

	test.each<[string, string, string]>([
		["a pool that is not there", "nowhere", "PoolNotFound"],
		[
			"a pool for balancers alone",
			"lb",
			"is not for ExternalIP addresses (uses: LoadBalancer)",
		],
		[
			"a pool for other namespaces",
			"b",
			"namespace shop is not admitted by namespaceSelector",
		],
	])("from %s is refused with the reason", async (_what, asks, text) => {
		kube.set(
			"addresspools",
			pool("b", ["198.51.100.0/24"], {
				namespaceSelector: { matchLabels: { team: "b" } },
			}),
		);
		kube.set(
			"addresspools",
			pool("lb", ["203.0.113.0/24"], { uses: ["LoadBalancer"] }),
		);
		kube.set("services", service("web", { asks }));
		start();
		await says("web", "False/");
		expect(conditionOf("web")).toContain(text);
		expect(recorded("web")).toBeUndefined();
	});

	it("that a full pool cannot give is waited for, and given when another Service no longer asks", async () => {
		kube.set("addresspools", pool("a", ["192.0.2.8/32"]));
		kube.set(
			"services",
			service("first", { asks: "auto", created: "2026-01-01T00:00:00Z" }),
		);
		start();
		await has("first", ["192.0.2.8"]);
		kube.set("services", service("second", { asks: "auto" }));
		await says("second", "False/PoolFull: pool a: full");
		const first = get("first") as Service;
		delete first.metadata.annotations?.[annotations.externalIPs];
		kube.set("services", first);
		await has("first", undefined);
		await has("second", ["192.0.2.8"]);
		await eventually(
			() => conditionOf("first"),
			(said) => expect(said).toBeUndefined(),
		);
	});

	it("is free again when its Service is deleted", async () => {
		kube.set("addresspools", pool("a", ["192.0.2.8/32"]));
		kube.set(
			"services",
			service("first", { asks: "auto", created: "2026-01-01T00:00:00Z" }),
		);
		kube.set("services", service("second", { asks: "auto" }));
		start();
		await has("first", ["192.0.2.8"]);
		kube.remove("services", "shop/first");
		await has("second", ["192.0.2.8"]);
	});

	it("is never one that somebody wrote himself, until he removes it", async () => {
		kube.set("addresspools", pool("a", ["192.0.2.8/31"]));
		kube.set("services", service("writer", { externalIPs: ["192.0.2.8"] }));
		kube.set("services", service("first", { asks: "auto" }));
		start();
		await has("first", ["192.0.2.9"]);
		kube.set("services", service("second", { asks: "auto" }));
		await says("second", "False/PoolFull");
		kube.set("services", service("writer"));
		await has("second", ["192.0.2.8"]);
		await says("second", "True/Granted");
	});

	it.each(["installed", "not installed"])(
		"that becomes the address of a Node leaves the Service for another, where the kind ExternalIPPolicy is %s",
		async (kind) => {
			if (kind !== "installed") kube.notInstalled.add("externalippolicies");
			kube.set("services", service("web", { asks: "auto" }));
			kube.set(
				"services",
				service("last", { asks: "b", created: "2026-01-03T00:00:00Z" }),
			);
			kube.set("addresspools", pool("b", ["198.51.100.7/32"]));
			start();
			await has("web", ["192.0.2.8"]);
			await has("last", ["198.51.100.7"]);
			kube.set("nodes", nodeAt("192.0.2.8", "198.51.100.7"));
			await has("web", ["192.0.2.9"]);
			await says("last", "False/NoAddressesOfFamily");
			expect(recorded("last")).toBeUndefined();
			expect(get("last")?.spec.externalIPs ?? []).toEqual([]);
			kube.remove("nodes", "node-9");
			await has("last", ["198.51.100.7"]);
		},
	);

	it("that became the address of a Node while no controller ran is not taken up again", async () => {
		kube.set("services", service("web", { asks: "auto" }));
		start();
		await has("web", ["192.0.2.8"]);
		await says("web", "True/Granted");
		await controller?.stop();
		kube.set("nodes", nodeAt("192.0.2.8"));
		start();
		await has("web", ["192.0.2.9"]);
	});

	it("that is recorded is adopted at the start, before an older Service is given anything", async () => {
		const holder = service("holder", {
			asks: "auto",
			externalIPs: ["192.0.2.8"],
		});
		holder.metadata.annotations = {
			...holder.metadata.annotations,
			[annotations.assignedExternalIPs]: JSON.stringify({
				addresses: ["192.0.2.8"],
				pools: ["a"],
				number: "7",
			}),
		};
		kube.set("services", holder);
		kube.set(
			"services",
			service("older", { asks: "auto", created: "2025-01-01T00:00:00Z" }),
		);
		start();
		await has("older", ["192.0.2.9"]);
		await has("holder", ["192.0.2.8"]);
	});

	it("is never one that a balancer has from the same pool, nor the other way round", async () => {
		kube.set(
			"addresspools",
			pool("a", ["192.0.2.8/31"], { uses: ["ExternalIP", "LoadBalancer"] }),
		);
		kube.set("balancerclasses", {
			metadata: { name: "fixed", uid: "class-1" },
			spec: { provider: "Static", default: true },
		} as never);
		kube.set(
			"services",
			service("web", { asks: "auto", spec: { type: "LoadBalancer" } }),
		);
		start();
		await eventually(
			() => get("web")?.status?.loadBalancer?.ingress?.length,
			(count) => expect(count).toBe(1),
		);
		await eventually(
			() => recorded("web"),
			(list) => expect(list).toHaveLength(1),
		);
		const ingress = get("web")?.status?.loadBalancer?.ingress?.[0]?.ip;
		expect(recorded("web")).not.toEqual([ingress]);
		await says("web", "True/Granted");
	});

	test.each<[string, number, string, string]>([
		["refuses", 403, "Forbidden", "spec.externalIPs: Forbidden"],
		["finds invalid", 422, "Invalid", "spec.externalIPs: Invalid"],
	])(
		"stands by its record alone where the API server %s spec.externalIPs (KEP-5707), and says so",
		async (_what, code, reason, message) => {
			let asked = 0;
			kube.answer = ({ method, path }) => {
				if (method !== "PATCH" || path !== specPath) return undefined;
				asked++;
				return [code, { kind: "Status", code, reason, message }, json];
			};
			kube.set("services", service("web", { asks: "auto" }));
			start();
			await says(
				"web",
				"True/AssignedOutsideSpec: 192.0.2.8 (pool a); carried only by nodes whose rules Fairlead programs",
			);
			expect(conditionOf("web")).toContain(message);
			expect(recorded("web")).toEqual(["192.0.2.8"]);
			// Lifted: it is asked again by itself.
			kube.answer = () => undefined;
			await has("web", ["192.0.2.8"]);
			await says("web", "True/Granted");
			expect(asked).toBeLessThanOrEqual(4);
		},
	);

	it("stands by its record alone where the API server strips spec.externalIPs, and is not asked again", async () => {
		let asked = 0;
		kube.answer = ({ method, path }) => {
			if (method !== "PATCH" || path !== specPath) return undefined;
			asked++;
			return [200, get("web"), json];
		};
		kube.set("services", service("web", { asks: "auto" }));
		start();
		await says("web", "True/AssignedOutsideSpec: 192.0.2.8 (pool a)");
		expect(asked).toBe(1);
	});

	it("survives writers in between: a conflict reads the Service again and nothing of theirs is lost", async () => {
		let refused = 0;
		kube.answer = ({ method, path }) => {
			if (method !== "PATCH" || path !== specPath || refused++ > 0)
				return undefined;
			kube.set("services", {
				...(get("web") as Service),
				spec: { ...(get("web") as Service).spec, externalIPs: ["192.0.2.10"] },
			});
			return undefined;
		};
		kube.set("services", service("web", { asks: "auto" }));
		start();
		await eventually(
			() => get("web")?.spec.externalIPs,
			(list) => expect(list).toEqual(["192.0.2.10", "192.0.2.8"]),
		);
	});

	it("that somebody keeps taking off, as GitOps tools do, is put back ever more rarely, and the condition says so", async () => {
		kube.set("services", service("web", { asks: "auto" }));
		start();
		for (let times = 0; times < 4; times++) {
			await has("web", ["192.0.2.8"]);
			await says("web", "True/Granted");
			const { externalIPs: _, ...spec } = (get("web") as Service).spec;
			kube.set("services", { ...(get("web") as Service), spec });
		}
		await says(
			"web",
			"True/Contested: 192.0.2.8 (pool a); somebody keeps undoing what Fairlead writes: spec.externalIPs;",
		);
		await has("web", ["192.0.2.8"]);
	});

	it("is not written while another write of the Service, as of its NodePorts, is on its way", async () => {
		let answer: () => void = () => {};
		const answered = new Promise<void>((resolve) => {
			answer = resolve;
		});
		let writes = 0;
		kube.hold = async ({ method, path }) => {
			if (method !== "PATCH" || !path.startsWith(specPath)) return;
			writes++;
			await answered;
		};
		for (const [name, nodePort] of [
			["web", 30080],
			["other", 30081],
		] as const) {
			const asking = service(name, {
				asks: "auto",
				spec: { type: "NodePort" },
			});
			asking.metadata.annotations = {
				...asking.metadata.annotations,
				[annotations.nodePorts]: `80/TCP=${nodePort}`,
			};
			kube.set("services", asking);
		}
		start();
		await says("other", "True/Granted");
		await eventually(
			() => get("other")?.spec.ports?.[0]?.nodePort,
			(port) => expect(port).toBe(30081),
		);
		expect(writes).toBe(1);
		answer();
		await says("web", "True/Granted");
		await eventually(
			() => get("web")?.spec.ports?.[0]?.nodePort,
			(port) => expect(port).toBe(30080),
		);
	});
});
