import { pool } from "../../../test/support/address-requests.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import type { KubeClient } from "../../cluster/kube.ts";
import { parsePoolEntry } from "../../model/addresses/cidr.ts";
import { Addresses } from "../addresses.ts";
import { Caches } from "../caches.ts";
import { withoutOwn } from "./own-addresses.ts";
import { PolicySync } from "./policy-sync.ts";

const node = parsePoolEntry("192.0.2.9/32");
const own = node.ok ? [node.value] : [];
const sizes = (uses: ("LoadBalancer" | "ExternalIP")[]) =>
	withoutOwn([pool("a", "192.0.2.8/30", { uses })], own)[0]?.intervals.IPv4
		.length;

test("a pool for external IPs alone does not hand out the cluster's own addresses", () => {
	expect(sizes(["ExternalIP"])).toBe(2);
});

test.each([
	[["LoadBalancer" as const]],
	[["LoadBalancer" as const, "ExternalIP" as const]],
])(
	"a pool for %j hands them out: a balancer at a node's address is somebody's plan",
	(uses) => {
		expect(sizes(uses)).toBe(1);
	},
);

describe("while Nodes come and go", () => {
	const clock = new FakeClock();
	const options = { clock, random: () => 0.5, log: quietLog() };
	const world = () => {
		const caches = new Caches({
			...options,
			client: {} as KubeClient,
			namespace: "fairlead-system",
		});
		caches.pools.put({
			metadata: { name: "a", uid: "p1", resourceVersion: "1" },
			spec: { addresses: ["192.0.2.8/30"], uses: ["ExternalIP"] },
		});
		return caches;
	};
	let version = 1;
	const join = (caches: Caches, name: string, address: string) =>
		caches.nodes.put({
			metadata: { name, uid: name, resourceVersion: String(++version) },
			status: { addresses: [{ type: "InternalIP", address }] },
		});

	test("the allocator is told of pools anew only when one of them holds an address of the cluster's own", () => {
		const caches = world();
		let changes = 0;
		const addresses = new Addresses({
			caches,
			clock,
			wake: () => {},
			wakeExternal: () => {},
			changed: () => changes++,
			write: async () => {},
		});
		join(caches, "far", "198.51.100.1");
		addresses.ownChanged();
		expect(changes).toBe(0);
		join(caches, "near", "192.0.2.9");
		addresses.ownChanged();
		expect(changes).toBe(1);
		expect(addresses.factsOf("a")?.ipv4?.capacity).toBe("3");
	});

	test("many that join at once are one look at the pools", async () => {
		const caches = world();
		let looks = 0;
		const sync = new PolicySync({
			...options,
			client: {} as KubeClient,
			caches,
			changed: () => {},
			ownChanged: () => looks++,
			leftOutChanged: () => {},
		});
		sync.start();
		for (let each = 1; each <= 100; each++)
			join(caches, `n${each}`, `198.51.100.${each}`);
		await clock.advance(1_000);
		await sync.stop(0);
		expect(looks).toBe(1);
	});
});
