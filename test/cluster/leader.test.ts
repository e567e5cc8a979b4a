import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jest } from "@jest/globals";
import type { Lease, Service } from "../../operator/api/core.ts";
import { annotations } from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { Store } from "../../operator/cluster/index.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { Reflector } from "../../operator/cluster/reflector.ts";
import { assignmentOf } from "../../operator/model/assignment.ts";
import { CallProxy, type ProxiedCall } from "../support/call-proxy.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { quietLog } from "../support/quiet-log.ts";
import { adminClient } from "../support/reporting-node.ts";
import { furnishStaticClass } from "../support/static-class.ts";

jest.setTimeout(180_000);

let cluster: Cluster;
let client: KubeClient;
const replicas: Replica[] = [];
const services = new Store<Service>({ clock: systemClock, log: quietLog() });
const leases = new Store<Lease>({ clock: systemClock, log: quietLog() });
const reflectors: Reflector<Service | Lease>[] = [];
/** Every address each Service ever had on record, by UID. */
const recorded = new Map<string, Set<string>>();
/** Whoever held the Lease, in order; "" while nobody did. */
const holders: string[] = [];

beforeAll(async () => {
	cluster = await startCluster();
	client = adminClient(cluster);
	await furnishStaticClass(cluster, ["192.0.2.0/24"]);
	services.onChange(({ object }) => {
		const { uid = "" } = object.metadata;
		const known = recorded.get(uid) ?? new Set<string>();
		recorded.set(uid, known);
		for (const each of assignmentOf(object)?.addresses ?? []) known.add(each);
	});
	leases.onChange(({ object: { metadata, spec } }) => {
		const holder = spec?.holderIdentity ?? "";
		if (metadata.name === "fairlead-controller" && holders.at(-1) !== holder)
			holders.push(holder);
	});
	const common = {
		client,
		clock: systemClock,
		random: Math.random,
		log: quietLog(),
	};
	reflectors.push(
		new Reflector<Service>({
			...common,
			resource: resources.services,
			store: services,
		}) as unknown as Reflector<Service | Lease>,
		new Reflector<Lease>({
			...common,
			resource: resources.leases,
			store: leases,
		}) as unknown as Reflector<Service | Lease>,
	);
	for (const each of reflectors) each.start();
	await Promise.all(reflectors.map(({ synced }) => synced));
});
afterAll(async () => {
	for (const replica of replicas) await replica.end();
	await Promise.all(reflectors.map((each) => each.stop()));
	client?.close();
	await cluster?.stop();
});

/** A controller as a process of its own, all of whose calls go by here. */
class Replica {
	readonly name: string;
	readonly #proxy: CallProxy;
	readonly #kubeconfig: string;
	readonly #hook: { before: (call: ProxiedCall) => Promise<void> | undefined };
	#process: Fairlead | undefined;

	private constructor(
		name: string,
		proxy: CallProxy,
		kubeconfig: string,
		hook: Replica["hook"],
	) {
		this.name = name;
		this.#proxy = proxy;
		this.#kubeconfig = kubeconfig;
		this.#hook = hook;
	}

	/** What holds its calls back, or lets them pass. */
	get hook(): { before: (call: ProxiedCall) => Promise<void> | undefined } {
		return this.#hook;
	}

	get process(): Fairlead {
		if (!this.#process) throw new Error(`${this.name} does not run`);
		return this.#process;
	}

	static async start(name: string): Promise<Replica> {
		const hook: Replica["hook"] = { before: () => undefined };
		const proxy = await CallProxy.start({
			side: name,
			upstream: cluster.server,
			ca: cluster.ca,
			before: (call) => hook.before(call),
		});
		const kubeconfig = join(cluster.folder, `kubeconfig-${name}`);
		await writeFile(
			kubeconfig,
			JSON.stringify({
				apiVersion: "v1",
				kind: "Config",
				"current-context": "p",
				contexts: [{ name: "p", context: { cluster: "c", user: "u" } }],
				clusters: [{ name: "c", cluster: { server: proxy.url } }],
				users: [{ name: "u", user: { token: cluster.adminToken } }],
			}),
			{ mode: 0o600 },
		);
		const replica = new Replica(name, proxy, kubeconfig, hook);
		replicas.push(replica);
		return replica;
	}

	run(): void {
		this.#process = new Fairlead([
			...["controller", "--kubeconfig", this.#kubeconfig],
			...["--metrics-port", "0"],
		]);
	}

	/** Resolves when it leads, for the `times`th time. */
	async leads(times = 1): Promise<void> {
		await this.process.logged(
			() =>
				this.process.log.filter(({ msg }) => msg.startsWith("leads:")).length >=
				times,
		);
	}

	/**
	 * What it has sent that changes anything, from its `from`th call on; without the Lease for which it competes, and without
	 * Events, which tell late of what it did while it led.
	 */
	writes(from = 0): string[] {
		return this.#proxy.calls
			.slice(from)
			.filter(({ method, path }) => method !== "GET" && !isBeside(path))
			.map(({ method, path }) => `${method} ${path}`);
	}

	get calls(): number {
		return this.#proxy.calls.length;
	}

	async end(): Promise<void> {
		await this.#process?.kill("SIGKILL");
		await this.#proxy.close();
	}
}

const isBeside = (path: string) =>
	path.includes("/leases") || path.startsWith("/apis/events.k8s.io/");
const isStatusOf = (name: string) => (call: ProxiedCall) =>
	call.method === "PATCH" && call.path.includes(`/services/${name}/status`);

async function create(name: string): Promise<void> {
	await client.create<Service>(resources.services, {
		apiVersion: "v1",
		kind: "Service",
		metadata: { namespace: "default", name },
		spec: {
			type: "LoadBalancer",
			allocateLoadBalancerNodePorts: false,
			ports: [{ port: 80 }],
		},
	});
}

async function served(name: string): Promise<Service> {
	const found = await eventually(
		() => services.get(`default/${name}`),
		(service) => expect(service?.status?.loadBalancer?.ingress).toHaveLength(1),
		60_000,
	);
	return found as Service;
}

/** Nobody shares an address, nobody ever moved, and what is shown is what is on record. */
function expectAddressesInOrder(): void {
	const balanced = [...services.values()].filter(
		({ spec }) => spec.type === "LoadBalancer",
	);
	const shown = balanced.flatMap(({ status }) =>
		(status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip),
	);
	expect(new Set(shown).size).toBe(shown.length);
	for (const { metadata, status } of balanced)
		expect([...(recorded.get(metadata.uid ?? "") ?? [])]).toEqual(
			(status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip),
		);
}

test("a leader that is killed in the middle of its work is succeeded, and no address is given twice or moved", async () => {
	const first = await Replica.start("first");
	const second = await Replica.start("second");
	first.run();
	await first.leads();
	second.run();
	await eventually(
		() => second.process.log.length,
		(lines) => expect(lines).toBeGreaterThan(0),
	);
	let left = 15;
	const killed = new Promise<void>((resolve) => {
		first.hook.before = (call) => {
			if (call.method !== "PATCH" || !call.path.includes("/services/"))
				return undefined;
			left--;
			if (left !== 0) return undefined;
			// This write and all that run beside it are lost or not, as it happens.
			resolve(first.process.kill("SIGKILL").then(() => {}));
			return undefined;
		};
	});
	const names = Array.from({ length: 40 }, (_, each) => `poured-${each}`);
	await Promise.all([killed, ...names.map(create)]);
	first.hook.before = () => undefined;
	expect(second.writes()).toEqual([]);
	await second.leads();
	for (const name of names) await served(name);
	expectAddressesInOrder();
});

test("a leader that is stopped past its Lease finds a successor, and neither a write on its way nor one it had in mind takes effect", async () => {
	const [first, second] = replicas;
	if (!first || !second) throw new Error("no replicas");
	first.run();
	const held = new Promise<() => void>((resolve) => {
		second.hook.before = (call) => {
			if (!isStatusOf("held")(call)) return undefined;
			second.hook.before = () => undefined;
			return new Promise((letGo) => resolve(letGo));
		};
	});
	await create("held");
	const letGo = await held;
	second.process.child.kill("SIGSTOP");
	await create("meanwhile");
	await first.leads();
	const before = await served("held");
	await served("meanwhile");
	const from = second.calls;
	// The write comes late, to a Service that somebody else has served.
	letGo();
	second.process.child.kill("SIGCONT");
	await second.process.logged(({ msg }) => msg === "leads no more");
	// It hears of what happened, and has something to say to none of it.
	await create("afterwards");
	await served("afterwards");
	expect(second.writes(from)).toEqual([]);
	expect(services.get("default/held")?.metadata).toEqual(before.metadata);
	expectAddressesInOrder();
});

test("a leader that is asked to end gives its Lease up, finishes nothing by halves, and exits with 0", async () => {
	const [first, second] = replicas;
	if (!first || !second) throw new Error("no replicas");
	const names = Array.from({ length: 20 }, (_, each) => `handed-${each}`);
	const before = holders.length;
	const creating = Promise.all(names.map(create));
	expect((await first.process.kill("SIGTERM")).code).toBe(0);
	await second.leads(2);
	await creating;
	for (const name of names) await served(name);
	// Nobody waited for the Lease to run out: it was free before it was another's.
	expect(holders.slice(before)).toEqual(["", expect.stringMatching(/./)]);
	expectAddressesInOrder();
});

test("a leader cut off from the API server leads no more before another does, and stands by when it is back", async () => {
	const [first, second] = replicas;
	if (!first || !second) throw new Error("no replicas");
	first.run();
	await eventually(
		() => first.calls,
		(calls) => expect(calls).toBeGreaterThan(0),
	);
	let heal = () => {};
	const healed = new Promise<void>((resolve) => {
		heal = resolve;
	});
	const deposed = () =>
		second.process.log.filter(({ msg }) => msg === "leads no more").length;
	const before = deposed();
	second.hook.before = () => healed;
	await create("beyond");
	await first.leads();
	expect(deposed()).toBe(before + 1);
	const from = second.calls;
	const shown = await served("beyond");
	second.hook.before = () => undefined;
	heal();
	await create("together");
	await served("together");
	expect(second.writes(from)).toEqual([]);
	expect(services.get("default/beyond")?.metadata.annotations).toEqual(
		shown.metadata.annotations,
	);
	expect(shown.metadata.annotations).toHaveProperty([annotations.assigned]);
	expectAddressesInOrder();
});
