import { assignedCondition } from "../../test/support/assigned-condition.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { Service } from "../api/core.ts";
import { annotations } from "../api/names.ts";
import type { KubeClient } from "../cluster/kube.ts";
import { formatAssignment } from "../model/assignment.ts";
import { Addresses } from "./addresses.ts";
import { Caches } from "./caches.ts";

/** One pool of 10.0.0.0 to 10.0.0.3, and these Services when the term starts. */
function setup(services: Service[]) {
	const caches = new Caches({
		client: {} as KubeClient,
		clock: new FakeClock(),
		random: () => 0.5,
		log: quietLog(),
		namespace: "fairlead-system",
	});
	caches.pools.put({
		metadata: { name: "p", uid: "p", resourceVersion: "2" },
		spec: { addresses: ["10.0.0.0/30"] },
	});
	for (const service of services) caches.services.put(service);
	return new Addresses({
		caches,
		clock: new FakeClock(),
		wake: () => {},
		wakeExternal: () => {},
		changed: () => {},
		write: async () => {},
	});
}

const recordedOn = (
	name: string,
	address: string,
	borneOut: boolean,
): Service => ({
	metadata: {
		namespace: "shop",
		name,
		uid: `uid-${name}`,
		resourceVersion: "3",
		annotations: {
			[annotations.assigned]: formatAssignment({
				addresses: [address],
				class: "lan",
				pools: ["p"],
				number: "1",
			}),
		},
	},
	spec: { type: "LoadBalancer", ipFamilies: ["IPv4"], ports: [{ port: 80 }] },
	...(borneOut ? { status: { conditions: [assignedCondition(address)] } } : {}),
});

const given = (addresses: Addresses, service: Service) => {
	const addressing = addresses.addressing(service, "lan");
	return addressing.kind === "Pools"
		? addressing.assignment.addresses
		: addressing;
};

test.each([
	["that status bears out is taken at the start of a term", true, "10.0.0.2"],
	["that nothing bears out gives its Service nothing", false, "10.0.0.0"],
])("a record %s", (_what, borneOut, expected) => {
	const service = recordedOn("web", "10.0.0.2", borneOut);
	const addresses = setup([service]);
	expect(addresses.holdsRecord(service)).toBe(borneOut);
	expect(addresses.heldBy("shop/web")).toEqual(borneOut ? ["10.0.0.2"] : []);
	expect(given(addresses, service)).toEqual([expected]);
});

test.each([
	["comes back with it", true, "10.0.0.2"],
	["only says so gets another", false, "10.0.0.0"],
])(
	"a Service whose address was recorded, and that %s, in the middle of a term",
	(_what, borneOut, expected) => {
		const addresses = setup([]);
		expect(given(addresses, recordedOn("web", "10.0.0.2", borneOut))).toEqual([
			expected,
		]);
	},
);

test("a Service that comes back does not get an address that another holds by now", () => {
	const holder = recordedOn("holder", "10.0.0.2", true);
	const addresses = setup([holder]);
	expect(given(addresses, recordedOn("web", "10.0.0.2", true))).toEqual([
		"10.0.0.0",
	]);
	expect(addresses.heldBy("shop/holder")).toEqual(["10.0.0.2"]);
});
