import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	BalancerClass,
} from "../../operator/api/fairlead.ts";
import { annotations } from "../../operator/api/names.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { Addresses } from "../../operator/controller/addresses.ts";
import { Caches } from "../../operator/controller/caches.ts";
import { formatAssignment } from "../../operator/model/assignment.ts";
import { assignedCondition } from "./assigned-condition.ts";
import { FakeClock } from "./fake-clock.ts";
import { quietLog } from "./quiet-log.ts";

/** The addresses of these pools as a term begins with these Services, all of class `lan`. */
export function addressesOf(
	services: readonly Service[],
	pools: Record<string, AddressPool["spec"]> = {
		p: { addresses: ["10.0.0.0/30"] },
	},
): Addresses {
	const clock = new FakeClock();
	const caches = new Caches({
		client: {} as KubeClient,
		clock,
		random: () => 0.5,
		log: quietLog(),
		namespace: "fairlead-system",
	});
	caches.classes.put({
		metadata: { name: "lan", uid: "lan", resourceVersion: "1" },
		spec: { provider: "Static" },
	} as BalancerClass);
	for (const [name, spec] of Object.entries(pools))
		caches.pools.put({
			metadata: { name, uid: name, resourceVersion: "2" },
			spec,
		});
	for (const service of services) caches.services.put(service);
	return new Addresses({
		caches,
		clock,
		wake: () => {},
		wakeExternal: () => {},
		changed: () => {},
		write: async () => {},
	});
}

/** A Service on which this address is recorded; status says so too if it is borne out. */
export function recordedOn(
	name: string,
	address: string,
	borneOut: boolean,
	noted: Record<string, string> = {},
): Service {
	return {
		metadata: {
			namespace: "shop",
			name,
			uid: `uid-${name}`,
			resourceVersion: "3",
			creationTimestamp: "2026-01-01T00:00:00Z",
			annotations: {
				...noted,
				[annotations.assigned]: formatAssignment({
					addresses: [address],
					class: "lan",
					pools: ["p"],
					number: "1",
				}),
			},
		},
		spec: {
			type: "LoadBalancer",
			loadBalancerClass: "fairlead.dev/lan",
			ipFamilies: ["IPv4"],
			ports: [{ port: 80 }],
		},
		...(borneOut
			? { status: { conditions: [assignedCondition(address)] } }
			: {}),
	};
}

/** What the Service gets now: addresses, or why none. */
export function given(addresses: Addresses, service: Service): unknown {
	const addressing = addresses.addressing(service, "lan");
	return addressing.kind === "Pools"
		? addressing.assignment.addresses
		: addressing.kind === "Refused"
			? addressing.reason
			: addressing;
}
