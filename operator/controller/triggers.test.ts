import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { EndpointSlice, Node, Service } from "../api/core.ts";
import type { AddressPool, BalancerClass } from "../api/fairlead.ts";
import type { KubeObject } from "../api/meta.ts";
import { annotations, conditions } from "../api/names.ts";
import type { KubeClient } from "../cluster/kube.ts";
import { Caches } from "./caches.ts";
import { Triggers } from "./triggers.ts";

let version = 0;
const at = <T extends KubeObject>(object: T): T => ({
	...object,
	metadata: { ...object.metadata, resourceVersion: String(++version) },
});
const service = (
	name: string,
	change: Partial<Service["spec"]> = {},
): Service =>
	at({
		metadata: { namespace: "shop", name, uid: `uid-${name}` },
		spec: { type: "LoadBalancer", ...change },
	});
const slice = (of: string, ready: boolean): EndpointSlice =>
	at({
		metadata: {
			namespace: "shop",
			name: `${of}-x`,
			uid: `slice-${of}`,
			labels: { "kubernetes.io/service-name": of },
		},
		addressType: "IPv4",
		endpoints: [{ addresses: ["10.1.0.1"], conditions: { ready } }],
	});
const node = (name: string, change: Partial<Node> = {}): Node =>
	at({ metadata: { name, uid: name }, ...change });

function setUp() {
	const caches = new Caches({
		namespace: "fairlead-system",
		client: {} as KubeClient,
		clock: new FakeClock(),
		random: () => 0,
		log: quietLog(),
	});
	const woken: string[] = [];
	const gone: { uid: string; held: string | undefined }[] = [];
	const undone: string[][] = [];
	const meant: string[] = [];
	const classes: string[] = [];
	const written: string[] = [];
	let pools = 0;
	const triggers = new Triggers({
		caches,
		wake: (key) => woken.push(key),
		gone: (subject) =>
			gone.push({
				uid: subject.metadata.uid ?? "",
				held: subject.metadata.annotations?.[annotations.provisionedBy],
			}),
		undone: (key, lost) => undone.push([key, ...lost]),
		meant: (key) => meant.push(key),
		classChanged: (name) => classes.push(name),
		classesMeant: () => meant.push("classes"),
		poolsChanged: () => pools++,
		written: (kind, name) => written.push(`${kind} ${name}`),
		isOwnWrite: (key) => key === "shop/own",
		isPatching: (key) => key === "shop/patched",
	});
	for (const name of ["a", "b"]) caches.services.put(service(name));
	caches.services.put(service("plain", { type: "ClusterIP" }));
	triggers.start();
	return {
		caches,
		woken,
		gone,
		written,
		undone,
		meant,
		classes,
		triggers,
		pools: () => pools,
	};
}

describe("a change in the cluster wakes", () => {
	it("the Service that changed, and no other", () => {
		const { caches, woken } = setUp();
		caches.services.put(service("a"));
		expect(woken).toEqual(["shop/a"]);
	});

	it("nobody for a Service that has nothing to do with balancers", () => {
		const { caches, woken } = setUp();
		caches.services.put(service("plain", { type: "NodePort" }));
		expect(woken).toEqual([]);
	});

	it("a Service that was a balancer and no longer is", () => {
		const { caches, woken } = setUp();
		caches.services.put(service("a", { type: "ClusterIP" }));
		expect(woken).toEqual(["shop/a"]);
	});

	it("nobody for the answer of our own write", () => {
		const { caches, woken } = setUp();
		caches.services.put(service("own"));
		expect(woken).toEqual([]);
	});

	it("the Service whose endpoints became ready or ceased to be, once", () => {
		const { caches, woken } = setUp();
		caches.slices.put(slice("a", true));
		caches.slices.put(slice("a", true));
		expect(woken).toEqual(["shop/a"]);
		caches.slices.put(slice("a", false));
		caches.slices.put(slice("plain", true));
		expect(woken).toEqual(["shop/a", "shop/a"]);
	});

	it("the Services of a namespace whose labels changed: pools may admit them now", () => {
		const { caches, woken } = setUp();
		const namespace = (labels: Record<string, string>) =>
			at({ metadata: { name: "shop", uid: "shop", labels } });
		caches.namespaces.put(namespace({}));
		expect(woken.splice(0)).toEqual(["shop/a", "shop/b"]);
		caches.namespaces.put(namespace({}));
		expect(woken).toEqual([]);
		caches.namespaces.put(namespace({ team: "a" }));
		expect(woken).toEqual(["shop/a", "shop/b"]);
	});

	it("whoever keeps count of what is undone, but not for what our own patch may have done", () => {
		const { caches, undone } = setUp();
		for (const name of ["a", "patched"]) {
			const held = service(name);
			held.metadata.annotations = {
				[annotations.provisionedBy]: "cloud/HetznerCloud",
			};
			caches.services.put(held);
			caches.services.put(service(name));
		}
		expect(undone).toEqual([
			["shop/a", `annotation ${annotations.provisionedBy}`],
		]);
	});

	it("whoever cleans up by the record, when it was stripped before the Service vanished", () => {
		const { caches, gone } = setUp();
		const held = service("a");
		held.metadata.annotations = {
			[annotations.provisionedBy]: "cloud/HetznerCloud",
		};
		caches.services.put(held);
		caches.services.put(service("a"));
		caches.services.remove(service("a"));
		expect(gone.map((each) => each.held)).toEqual(["cloud/HetznerCloud"]);
	});

	it("nobody's pause for what is stripped, but that of a Service of which something else is wanted", () => {
		const { caches, meant } = setUp();
		caches.services.put(service("a"));
		expect(meant).toEqual([]);
		caches.services.put(service("a", { ports: [{ port: 81 }] }));
		expect(meant).toEqual(["shop/a"]);
	});

	it("the Services that wait for an address, when pools are edited", () => {
		const { caches, woken } = setUp();
		const told = service("a");
		told.status = {
			conditions: [
				{
					type: conditions.addressAssigned,
					status: "False",
					reason: "NoPools",
					message: "",
					lastTransitionTime: "2026-01-01T00:00:00Z",
				},
			],
		};
		caches.services.put(told);
		woken.length = 0;
		caches.pools.put(
			at({
				metadata: { name: "blue", uid: "blue" },
				spec: { addresses: ["10.9.0.0/24"] },
			}),
		);
		expect(woken).toEqual(["shop/a"]);
	});

	it("whoever cleans up when a Service is replaced as a whole by one that knows nothing of its balancer", () => {
		const { caches, gone } = setUp();
		const held = service("a");
		held.metadata.annotations = {
			[annotations.provisionedBy]: "cloud/HetznerCloud",
		};
		caches.services.put(held);
		caches.services.put(service("a", { type: "ClusterIP" }));
		expect(gone.map((each) => each.uid)).toEqual(["uid-a"]);
	});

	it("nobody who cleans up for what our own clean-up takes off, told by the watch before its answer", () => {
		const { caches, gone, woken } = setUp();
		const left = service("patched", { type: "ClusterIP" });
		left.metadata.annotations = {
			[annotations.provisionedBy]: "cloud/HetznerCloud",
		};
		caches.services.put(left);
		woken.length = 0;
		caches.services.put(service("patched", { type: "ClusterIP" }));
		expect(gone).toEqual([]);
		expect(woken).toEqual(["shop/patched"]);
	});

	it("every balanced Service when nodes join, once; none when a node only reports its health", async () => {
		const { caches, woken, triggers } = setUp();
		caches.nodes.put(node("n0"));
		caches.nodes.put(node("n1"));
		await Promise.resolve();
		expect(woken).toEqual(["shop/a", "shop/b"]);
		const before = triggers.targets();
		caches.nodes.put(
			node("n1", {
				status: { conditions: [{ type: "Ready", status: "True" }] },
			}),
		);
		await Promise.resolve();
		expect(woken).toHaveLength(2);
		expect(triggers.targets()).toBe(before);
	});

	it("no Service of a class whose provider does not care about nodes", async () => {
		const { caches, woken } = setUp();
		const lab: BalancerClass = at({
			metadata: { name: "lab", uid: "lab" },
			spec: { provider: "Static" },
		});
		caches.classes.put(lab);
		const held = service("a");
		held.metadata.annotations = { [annotations.provisionedBy]: "lab/Static" };
		caches.services.put(held);
		woken.length = 0;
		caches.nodes.put(node("n1"));
		await Promise.resolve();
		expect(woken).toEqual(["shop/b"]);
	});

	it("all balanced Services when a class is edited, none when only its status changed", () => {
		const { caches, woken, classes } = setUp();
		const cloud: BalancerClass = at({
			metadata: { name: "cloud", uid: "cloud" },
			spec: { provider: "Static" },
		});
		caches.classes.put(cloud);
		expect(woken).toHaveLength(2);
		caches.classes.put(at({ ...cloud, status: { conditions: [] } }));
		expect(woken).toHaveLength(2);
		expect(classes).toEqual(["cloud", "cloud"]);
	});

	it("the pools when one of them is edited, not when its counts are written", () => {
		const { caches, pools, written } = setUp();
		const pool: AddressPool = {
			metadata: { name: "p", uid: "p" },
			spec: { addresses: [] },
		};
		caches.pools.put(at(pool));
		expect(pools()).toBe(1);
		caches.pools.put(at({ ...pool, status: { conditions: [] } }));
		expect(pools()).toBe(1);
		// Whoever keeps the status is told: it may have been wiped.
		expect(written).toEqual(["pool p", "pool p"]);
		caches.pools.put(at({ ...pool, spec: { addresses: ["10.0.0.0/24"] } }));
		expect(pools()).toBe(2);
	});

	it("whoever cleans up when a Service vanishes or another takes its name", () => {
		const { caches, gone, woken } = setUp();
		const again = service("a");
		again.metadata.uid = "uid-second";
		caches.services.put(again);
		expect(gone.map((each) => each.uid)).toEqual(["uid-a"]);
		expect(woken).toContain("shop/a");
		caches.services.remove(service("b"));
		expect(gone.map((each) => each.uid)).toEqual(["uid-a", "uid-b"]);
	});
});
