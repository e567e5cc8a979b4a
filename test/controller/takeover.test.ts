import { jest } from "@jest/globals";
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
import { FairleadError } from "../../operator/errors.ts";
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

/** A controller that competes for the Lease; `refused`: what reading a kind is answered. */
function replica(
	identity: string,
	refused: Record<string, FairleadError> = {},
): Replica {
	const made = new Replica(cluster, clock, {
		identity,
		leaseNamespace: "fairlead-system",
		refused,
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

const holder = () =>
	cluster.get<Lease>("leases", "fairlead-system/fairlead-controller")?.spec
		?.holderIdentity;
const sick = new FairleadError("KubeServerError", "503 etcd has no leader");
const forbidden = new FairleadError("KubeForbidden", "it is forbidden");

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

describe("a leader that is not told what it must know", () => {
	const waits = ({ log }: Replica) =>
		log.lines
			.filter(({ message }) => message.startsWith("waits for"))
			.map(({ level, message }) => `${level} ${message}`);
	const waitsFor = (...kinds: string[]) =>
		`warn waits for what it must know before it does anything: ${kinds.join("; ")}`;
	const allow = ({ life }: Replica, plural: string) =>
		cluster.refuse(life, plural, undefined);

	it.each(["services", "addresspools", "addressreservations", "leases"])(
		"since %s are answered 503 for good, says so after 10 s, once, and at /readyz, and does nothing",
		async (kind) => {
			const leader = replica("a", { [kind]: sick });
			service("web");
			await clock.advance(9_000);
			expect([holder(), waits(leader)]).toEqual(["a", []]);
			await clock.advance(2_000);
			const why = `${kind}: 503 etcd has no leader`;
			expect(waits(leader)).toEqual([waitsFor(why)]);
			expect(leader.notReady()).toEqual([why]);
			await clock.advance(45_000);
			expect(waits(leader)).toEqual([waitsFor(why)]);
			expect(cluster.patches).toEqual([]);
		},
	);

	it("says so again when it is another kind, or another answer", async () => {
		const leader = replica("a", { addresspools: sick });
		await clock.advance(11_000);
		const away = new FairleadError("KubeUnreachable", "connection refused");
		cluster.refuse(leader.life, "addresspools", away);
		await clock.advance(30_000);
		expect(waits(leader)).toEqual([
			waitsFor("addresspools: 503 etcd has no leader"),
			waitsFor("addresspools: connection refused"),
		]);
	});

	it("gives the Lease up after a minute, and a replica that is told leads", async () => {
		replica("a", { addressreservations: sick });
		await clock.advance(1_000);
		replica("b");
		service("web");
		await clock.advance(58_000);
		expect([holder(), address("web")]).toEqual(["a", undefined]);
		await clock.advance(10_000);
		expect([holder(), address("web")]).toEqual(["b", "10.9.0.0"]);
	});

	it("gives it up too when it had been told all while it stood by", async () => {
		const former = replica("a");
		await clock.advance(1_000);
		const leader = replica("b");
		await clock.advance(5_000);
		cluster.refuse(leader.life, "addresspools", sick);
		former.die();
		await clock.advance(35_000);
		expect(holder()).toBe("b");
		const why = "addresspools: 503 etcd has no leader";
		expect(waits(leader)).toEqual([waitsFor(why)]);
		expect(leader.notReady()).toEqual([why]);
		replica("c");
		service("web");
		await clock.advance(60_000);
		expect([holder(), address("web")]).toEqual(["c", "10.9.0.0"]);
	});

	it("lets the Lease lie until it is told, and then leads", async () => {
		const leader = replica("a", { addressreservations: sick });
		service("web");
		await clock.advance(70_000);
		expect(holder()).toBe("");
		const { version } = cluster;
		await clock.advance(600_000);
		expect({ version: cluster.version, holder: holder() }).toEqual({
			version,
			holder: "",
		});
		allow(leader, "addressreservations");
		await clock.advance(60_000);
		expect([holder(), address("web")]).toEqual(["a", "10.9.0.0"]);
		expect(leader.notReady()).toEqual([]);
	});

	it("competes again once it is told, and then gives to nobody what the leader in between gave out", async () => {
		const first = replica("a", { addressreservations: sick });
		await clock.advance(1_000);
		const second = replica("b");
		await clock.advance(70_000);
		expect(holder()).toBe("b");
		allow(first, "addressreservations");
		await clock.advance(60_000);
		cluster.silence(first.life);
		service("early");
		await clock.advance(5_000);
		second.die();
		await clock.advance(25_000);
		service("late");
		await clock.advance(5_000);
		expect([holder(), address("early"), address("late")]).toEqual([
			"a",
			"10.9.0.0",
			"10.9.0.1",
		]);
	});

	it("reads anew what it was told long before, though another kind it is told for the first time", async () => {
		const former = replica("a");
		await clock.advance(1_000);
		const standby = replica("b", { services: sick });
		await clock.advance(5_000);
		cluster.silence(standby.life);
		cluster.create<AddressReservation>("addressreservations", {
			metadata: { namespace: "shop", name: "kept" },
			spec: { pool: "lan", addresses: ["10.9.0.0"] },
		});
		former.die();
		await clock.advance(25_000);
		expect(holder()).toBe("b");
		allow(standby, "services");
		service("web");
		await clock.advance(31_000);
		expect([holder(), address("web")]).toEqual(["b", "10.9.0.1"]);
	});

	it("without election only says so, and goes on waiting", async () => {
		const leader = new Replica(cluster, clock, {
			refused: { addresspools: sick },
		});
		running.push(leader);
		service("web");
		await clock.advance(600_000);
		expect(waits(leader)).toEqual([
			waitsFor("addresspools: 503 etcd has no leader"),
		]);
		expect([holder(), address("web")]).toEqual([undefined, undefined]);
		allow(leader, "addresspools");
		await clock.advance(60_000);
		expect(address("web")).toBe("10.9.0.0");
	});

	it.each([
		["addressreservations", "fairlead.dev"],
		["nodeportpools", "fairlead.dev"],
		["servicecidrs", "networking.k8s.io"],
	])(
		"may not read %s, gives out nothing that they might keep, and says what to grant",
		async (kind, group) => {
			cluster.create<AddressReservation>("addressreservations", {
				metadata: { namespace: "shop", name: "kept" },
				spec: { pool: "lan", addresses: ["10.9.0.0"] },
			});
			const leader = replica("a", { [kind]: forbidden });
			service("web");
			await clock.advance(11_000);
			const why = `${kind}: it is forbidden (403); grant list and watch on ${kind}.${group}`;
			expect(waits(leader)).toEqual([waitsFor(why)]);
			expect(leader.notReady()).toEqual([why]);
			expect(address("web")).toBeUndefined();
			allow(leader, kind);
			await clock.advance(40_000);
			expect([holder(), address("web")]).toEqual(["a", "10.9.0.1"]);
		},
	);

	it("leads though it may not read ExternalIPPolicies, and says so", async () => {
		const leader = replica("a", { externalippolicies: forbidden });
		service("web");
		await clock.advance(11_000);
		expect(address("web")).toBe("10.9.0.0");
		expect(waits(leader)).toEqual([]);
		expect(leader.notReady()).toEqual([
			"externalippolicies: it is forbidden (403); grant list and watch on externalippolicies.fairlead.dev",
		]);
	});

	it.each<[when: string, elected: boolean, ms: number]>([
		["at once", true, 0],
		["while it leads and waits", true, 30_000],
		["after it gave the Lease up", true, 200_000],
		["while it waits without election", false, 200_000],
	])("ends when it is stopped %s", async (_when, elected, ms) => {
		const refused = { addresspools: sick };
		const leader = elected
			? replica("a", refused)
			: new Replica(cluster, clock, { refused });
		await clock.advance(ms);
		await leader.stop();
		running.length = 0;
		expect(clock.waiting()).toEqual([]);
		expect(holder() ?? "").toBe("");
	});

	it("ends when it is stopped while it gives the Lease up", async () => {
		const leader = replica("a", { addresspools: sick });
		let stopped: Promise<void> | undefined;
		jest.spyOn(leader.log, "warn").mockImplementation((...said: unknown[]) => {
			if (String(said[0]).startsWith("gives the Lease up"))
				stopped = leader.stop();
		});
		await clock.advance(61_000);
		expect(stopped).toBeDefined();
		await stopped;
		running.length = 0;
		expect(clock.waiting()).toEqual([]);
		expect(holder()).toBe("");
	});
});
