import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { Service } from "../api/core.ts";
import { annotations } from "../api/names.ts";
import type { KubeClient } from "../cluster/kube.ts";
import { formatAssignment } from "../model/assignment.ts";
import { Addresses } from "./addresses.ts";
import { Caches } from "./caches.ts";

/** One pool of 10.0.0.0 and 10.0.0.1; the first is kept for shop/web, which is gone. */
function setup() {
	const clock = new FakeClock();
	const caches = new Caches({
		client: {} as KubeClient,
		clock,
		random: () => 0.5,
		log: quietLog(),
		namespace: "fairlead-system",
	});
	caches.classes.put({
		metadata: { name: "lan", uid: "c", resourceVersion: "1" },
		spec: { provider: "Static", default: true },
	});
	caches.pools.put({
		metadata: { name: "p", uid: "p", resourceVersion: "2" },
		spec: { addresses: ["10.0.0.0-10.0.0.1"], retention: "10h" },
		status: {
			held: [
				{
					address: "10.0.0.0",
					service: "shop/web",
					reason: "Retained",
					until: new Date(clock.now() + 3_600_000).toISOString(),
				},
			],
		},
	});
	const addresses = new Addresses({
		caches,
		clock,
		wake: () => {},
		wakeExternal: () => {},
		changed: () => {},
		write: async () => {},
	});
	return { clock, caches, addresses };
}

const service = (name: string, recorded?: string): Service => ({
	metadata: {
		namespace: "shop",
		name,
		uid: `uid-${name}`,
		resourceVersion: "3",
		...(recorded === undefined
			? {}
			: {
					annotations: {
						[annotations.assigned]: formatAssignment({
							addresses: [recorded],
							class: "lan",
							pools: ["p"],
							number: "1",
						}),
					},
				}),
	},
	spec: { type: "LoadBalancer", ipFamilies: ["IPv4"], ports: [{ port: 80 }] },
});

const heldOf = (addresses: Addresses) =>
	addresses.factsOf("p")?.held.map(({ address }) => address);

test("an address kept for a Service stays kept when the record of it is copied to another", () => {
	const { addresses } = setup();
	addresses.start();
	const copy = service("thief", "10.0.0.0");
	for (let sync = 0; sync < 2; sync++)
		expect(addresses.addressing(copy, "lan")).toMatchObject({
			assignment: { addresses: ["10.0.0.1"] },
		});
	expect(heldOf(addresses)).toEqual(["10.0.0.0"]);
});

test("an address kept for a Service is its own once it is recorded on it", () => {
	const { addresses } = setup();
	addresses.start();
	addresses.addressing(service("web"), "lan");
	expect(heldOf(addresses)).toEqual(["10.0.0.0"]);
	addresses.addressing(service("web", "10.0.0.0"), "lan");
	expect(heldOf(addresses)).toEqual([]);
});

test("what is released while a term ends sets no timer that outlives it", () => {
	const { addresses, caches, clock } = setup();
	addresses.start();
	const other = service("other");
	caches.services.put(other);
	addresses.addressing(other, "lan");
	addresses.stop();
	addresses.release(other);
	expect(heldOf(addresses)).toEqual(["10.0.0.0", "10.0.0.1"]);
	expect(clock.waiting()).toEqual([]);
});
