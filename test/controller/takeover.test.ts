import type { Lease, Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	AddressReservation,
	BalancerClass,
	ExternalIPPolicy,
	NodePortPool,
} from "../../operator/api/fairlead.ts";
import { annotations, conditions } from "../../operator/api/names.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import { externalIPRecordOf } from "../../operator/model/external-ips/record.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { MemoryCluster } from "../support/memory-cluster.ts";
import { Replica } from "../support/replica.ts";

let cluster: MemoryCluster;
let clock: FakeClock;
const running: Replica[] = [];

beforeEach(() => {
	cluster = new MemoryCluster();
	clock = new FakeClock();
	cluster.create("namespaces", {
		metadata: { name: "shop", labels: { team: "a" } },
	});
	cluster.create<BalancerClass>("balancerclasses", {
		metadata: { name: "lab" },
		spec: { provider: "Static" },
	});
	cluster.create<AddressPool>("addresspools", {
		metadata: { name: "lan" },
		spec: {
			addresses: ["10.9.0.0/29"],
			namespaceSelector: { matchLabels: { team: "a" } },
		},
	});
	cluster.create<AddressPool>("addresspools", {
		metadata: { name: "outside" },
		spec: { addresses: ["10.8.0.0/29"], uses: ["ExternalIP"] },
	});
	cluster.create<NodePortPool>("nodeportpools", {
		metadata: { name: "edge" },
		spec: { range: "30010-30019" },
	});
});

afterEach(async () => {
	for (const each of running.splice(0)) await each.stop();
});

/** A controller that competes for the Lease. */
function replica(identity: string): Replica {
	const made = new Replica(cluster, clock, {
		identity,
		leaseNamespace: "fairlead-system",
	});
	running.push(made);
	return made;
}

function service(name: string): void {
	cluster.create<Service>("services", {
		metadata: {
			namespace: "shop",
			name,
			creationTimestamp: "2026-01-01T00:00:00Z",
			annotations: {
				[annotations.externalIPs]: "auto",
				[annotations.nodePorts]: "edge",
			},
		},
		spec: {
			type: "LoadBalancer",
			loadBalancerClass: "fairlead.dev/lab",
			ipFamilies: ["IPv4"],
			ports: [{ port: 80 }],
		},
	});
}

const get = (name: string) =>
	cluster.get<Service>("services", `shop/${name}`) as Service;
const address = (name: string) =>
	assignmentOf(get(name))?.addresses[0] ??
	get(name).status?.conditions?.find(
		({ type }) => type === conditions.addressAssigned,
	)?.reason;
const externalIP = (name: string) =>
	externalIPRecordOf(get(name))?.addresses[0];
const nodePort = (name: string) => get(name).spec.ports?.[0]?.nodePort;

describe("a standby whose watches had died without a word, when it takes over", () => {
	/** One leads and serves `early`, the other stands by and hears nothing of it; the leader dies, and then `change` happens. */
	async function takeOver(change: () => void): Promise<void> {
		const leader = replica("a");
		await clock.advance(1_000);
		const standby = replica("b");
		await clock.advance(5_000);
		cluster.silence(standby.life);
		service("early");
		await clock.advance(5_000);
		expect([address("early"), externalIP("early"), nodePort("early")]).toEqual([
			"10.9.0.0",
			"10.8.0.0",
			30_010,
		]);
		leader.die();
		change();
		await clock.advance(25_000);
		expect(
			cluster.get<Lease>("leases", "fairlead-system/fairlead-controller")?.spec,
		).toMatchObject({ holderIdentity: "b" });
		service("late");
		await clock.advance(5_000);
	}

	it("gives to nobody what the leader before it gave out", async () => {
		await takeOver(() => {});
		expect([address("late"), externalIP("late"), nodePort("late")]).toEqual([
			"10.9.0.1",
			"10.8.0.1",
			30_011,
		]);
		expect(address("early")).toBe("10.9.0.0");
	});

	it.each<[what: string, change: () => void, get: () => unknown, is: unknown]>([
		[
			"keeps what an AddressReservation reserves",
			() =>
				cluster.create<AddressReservation>("addressreservations", {
					metadata: { namespace: "shop", name: "kept" },
					spec: { pool: "lan", addresses: ["10.9.0.1"] },
				}),
			() => address("late"),
			"10.9.0.2",
		],
		[
			"draws from the AddressPools there are",
			() =>
				cluster.edit<AddressPool>("addresspools", "lan", ({ spec }) => {
					spec.addresses = ["10.7.0.0/29"];
				}),
			() => address("late"),
			"10.7.0.0",
		],
		[
			"admits whom the labels of Namespaces admit",
			() =>
				cluster.edit("namespaces", "shop", ({ metadata }) => {
					metadata.labels = { team: "b" };
				}),
			() => address("late"),
			"NoAddressAvailable",
		],
		[
			"serves the BalancerClasses there are",
			() => cluster.remove("balancerclasses", "lab"),
			() => address("late"),
			"ClassDeleting",
		],
		[
			"gives nobody the address of a Node as external IP",
			() =>
				cluster.create("nodes", {
					metadata: { name: "n1" },
					status: {
						addresses: [{ type: "InternalIP", address: "10.8.0.1" }],
					},
				} as never),
			() => externalIP("late"),
			"10.8.0.2",
		],
		[
			"gives nobody a ClusterIP as external IP, nor leaves anybody one",
			() =>
				cluster.create("servicecidrs", {
					metadata: { name: "more" },
					spec: { cidrs: ["10.8.0.0/30"] },
				} as never),
			() => [externalIP("early"), externalIP("late")],
			["10.8.0.4", "10.8.0.5"],
		],
		[
			"gives NodePorts from the NodePortPools there are",
			() =>
				cluster.edit<NodePortPool>("nodeportpools", "edge", ({ spec }) => {
					spec.range = "30020-30029";
				}),
			() => nodePort("late"),
			30_021,
		],
		[
			"puts right the ExternalIPPolicy that somebody edited",
			() =>
				cluster.edit<ExternalIPPolicy>(
					"externalippolicies",
					"compiled",
					({ spec }) => {
						spec.grants = [];
					},
				),
			() =>
				cluster.get<ExternalIPPolicy>("externalippolicies", "compiled")?.spec
					.grants,
			[expect.objectContaining({ pool: "outside" })],
		],
	])("%s", async (_what, change, found, is) => {
		await takeOver(change);
		expect(found()).toEqual(is);
	});
});

it("a leader that was deposed sends none of the Events it has not sent yet", async () => {
	const { life } = replica("a");
	await clock.advance(1_000);
	const many = 300;
	for (let each = 0; each < many; each++) service(`web-${each}`);
	await clock.advance(0);
	cluster.edit<Lease>(
		"leases",
		"fairlead-system/fairlead-controller",
		({ spec }) => {
			if (spec) spec.holderIdentity = "somebody else";
		},
	);
	// It finds out when it renews.
	await clock.advance(3_000);
	const sent = () => cluster.events.filter((event) => event.life === life);
	const before = sent().length;
	expect(before).toBeGreaterThan(0);
	expect(before).toBeLessThan(many);
	await clock.advance(10_000);
	expect(sent()).toHaveLength(before);
});
