import { Registry } from "prom-client";
import type { Service } from "../../operator/api/core.ts";
import { annotations } from "../../operator/api/names.ts";
import {
	type KubeClient,
	type ListOptions,
} from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { audit } from "../../operator/controller/audit.ts";
import { Controller } from "../../operator/controller/controller.ts";
import type { Caches } from "../../operator/controller/caches.ts";
import { controllerMetrics } from "../../operator/controller/metrics.ts";
import { OrphanCollector } from "../../operator/controller/orphans/orphan-collector.ts";
import type { OrphanPolicy } from "../../operator/model/orphans/orphans.ts";
import {
	action,
	balancer,
	balancers,
	HetznerNock,
	listPath,
	notFound,
	paging,
	runningPath,
	signal,
} from "../support/hetzner-nock.ts";
import { quietLog } from "../support/quiet-log.ts";

const minute = 60_000;
const deleting: OrphanPolicy = {
	delete: true,
	explicitClusterId: true,
	graceMs: 10 * minute,
	confirmed: 0,
};
const service = (uid: string): Service => ({
	metadata: {
		namespace: "shop",
		name: "web",
		uid,
		annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
	},
	spec: { type: "LoadBalancer", ports: [] },
});

let cloud: HetznerNock;
let services: Service[];
let lists: ListOptions[];
let log: ReturnType<typeof quietLog>;
let registry: Registry;
let lost: boolean;
let unreadable: boolean;
let collector: OrphanCollector;

function setUp(policy: Partial<OrphanPolicy> = {}): void {
	cloud = new HetznerNock();
	services = [];
	lists = [];
	log = quietLog();
	registry = new Registry();
	lost = false;
	unreadable = false;
	const client = {
		list: async (_resource: unknown, options: ListOptions) => {
			if (unreadable) throw new FairleadError("KubeUnreachable", "no answer");
			lists.push(options);
			// Two pages, so that the second one counts as well.
			const [first, ...rest] = services;
			return options.continue === undefined
				? {
						metadata: {
							resourceVersion: "9",
							...(rest.length > 0 ? { continue: "more" } : {}),
						},
						items: first ? [first] : [],
					}
				: { metadata: { resourceVersion: "9" }, items: rest };
		},
	} as Partial<KubeClient> as KubeClient;
	collector = new OrphanCollector({
		client,
		clock: cloud.clock,
		log,
		metrics: controllerMetrics(registry),
		clusterId: "c1",
		policy: { ...deleting, ...policy },
		provider,
	});
}

async function provider() {
	if (lost) throw new FairleadError("NotLeading", "the term is over");
	return cloud.provider;
}

/** One audit, over a cloud that holds `held`. */
async function run(...held: object[]): Promise<void> {
	cloud.on("GET", listPath).reply(200, balancers(...held));
	const classes = new Map(
		["cloud", "twin"].map((name) => [
			name,
			{ metadata: { name }, spec: { provider: "HetznerCloud" } },
		]),
	);
	await audit(
		{
			caches: { classes } as unknown as Caches,
			provider,
			orphans: collector,
			log,
			clusterId: "c1",
			lookAgain: () => {},
		},
		signal,
	);
}

/** The calls a deletion makes on a cloud that answers with an action which ends at once. */
function foretellDeletion(): void {
	cloud.on("GET", runningPath).reply(200, { actions: [] });
	cloud.on("GET", listPath).reply(200, balancers(balancer));
	cloud.on("DELETE", "/v1/load_balancers/7").reply(201, {
		action: action(1, "delete_load_balancer", "success"),
	});
	cloud.on("GET", "/v1/load_balancers/7").reply(404, notFound);
}

const deletes = () => cloud.calls.filter((call) => call.startsWith("DELETE"));
const metric = async (name: string) =>
	(await registry.getSingleMetric(name)?.get())?.values.map(
		({ labels, value }) => [labels["class"], value],
	);

afterEach(() => cloud.end());

describe("the collection of orphans", () => {
	it("costs one list for all classes of a project, and reads Services from the API server, every page", async () => {
		setUp();
		services = [service("other"), service("uid-1")];
		await run(balancer);
		expect(cloud.calls).toEqual([`GET ${listPath}`]);
		expect(listPath).toContain(paging);
		expect(lists).toEqual([{ limit: 500 }, { limit: 500, continue: "more" }]);
		expect(log.lines).toEqual([]);
	});

	it("deletes one that two audits saw, after its grace, and counts it", async () => {
		setUp();
		await run(balancer);
		expect(await metric("fairlead_controller_orphaned_balancers")).toEqual([
			["cloud", 1],
			["twin", 0],
		]);
		cloud.clock.pause(9 * minute);
		await run(balancer);
		expect(deletes()).toEqual([]);
		cloud.clock.pause(minute);
		foretellDeletion();
		await run(balancer);
		expect(deletes()).toEqual(["DELETE /v1/load_balancers/7"]);
		expect(await metric("fairlead_controller_orphans_deleted_total")).toEqual([
			["cloud", 1],
		]);
		await run();
		expect(await metric("fairlead_controller_orphaned_balancers")).toEqual([
			["cloud", 0],
			["twin", 0],
		]);
	});

	it("spares one whose Service is there again, and begins anew should that go too", async () => {
		setUp();
		await run(balancer);
		cloud.clock.pause(20 * minute);
		services = [service("uid-1")];
		await run(balancer);
		services = [];
		await run(balancer);
		expect(deletes()).toEqual([]);
	});

	it.each<[string, Partial<OrphanPolicy>, object, string]>([
		["by default", { delete: false }, {}, "--delete-orphans"],
		[
			"without an explicit cluster id",
			{ explicitClusterId: false },
			{},
			"--cluster-id",
		],
		[
			"while it is protected",
			{},
			{ protection: { delete: true } },
			"protected from deletion",
		],
		["once somebody renamed it", {}, { name: "mine" }, "somebody renamed it"],
	])("names it once and leaves it alone %s", async (_, policy, change, say) => {
		setUp(policy);
		for (let turn = 0; turn < 3; turn++) {
			await run({ ...balancer, ...change });
			cloud.clock.pause(20 * minute);
		}
		expect(deletes()).toEqual([]);
		expect(log.lines).toHaveLength(1);
		expect(JSON.stringify(log.lines)).toContain(say);
	});

	it("stops at more than three and a tenth of all, until somebody confirms that many", async () => {
		const held = [1, 2, 3, 4].map((each) => ({
			...balancer,
			id: each,
			name: balancer.name.replace("uid-1", `uid-${each}`),
			labels: {
				...balancer.labels,
				"fairlead.dev/service-uid": `uid-${each}`,
			},
		}));
		setUp();
		await run(...held);
		cloud.clock.pause(20 * minute);
		await run(...held);
		expect(deletes()).toEqual([]);
		expect(JSON.stringify(log.lines)).toContain("--confirm-orphans=4");
		await cloud.end();
		setUp({ confirmed: 4 });
		await run(...held);
		cloud.clock.pause(20 * minute);
		cloud.on("GET", runningPath).reply(200, { actions: [] });
		cloud.on("GET", listPath).reply(200, balancers(...held));
		for (const { id } of held) {
			cloud.on("DELETE", `/v1/load_balancers/${id}`).reply(204);
			cloud.on("GET", `/v1/load_balancers/${id}`).reply(404, notFound);
		}
		await run(...held);
		expect(deletes()).toHaveLength(4);
	});

	it("is not begun by a controller that is to delete and was not told the cluster's id", () => {
		setUp();
		expect(
			() =>
				new Controller({
					client: {} as KubeClient,
					clock: cloud.clock,
					random: () => 0,
					log,
					metrics: new Registry(),
					identity: "a",
					leaseNamespace: undefined,
					clusterId: undefined,
					workers: 1,
					auditSchedule: "* * * * *",
					orphans: { delete: true, graceMs: 0, confirmed: 0 },
				}),
		).toThrow("--delete-orphans: needs --cluster-id");
	});

	it("deletes nothing when the Services cannot be read, or the term is over", async () => {
		setUp();
		await run(balancer);
		cloud.clock.pause(20 * minute);
		unreadable = true;
		await run(balancer);
		expect(JSON.stringify(log.lines)).toContain(
			"orphans could not be looked for",
		);
		unreadable = false;
		cloud.on("GET", listPath).reply(200, balancers(balancer));
		const lists = await cloud.provider.list("c1", signal);
		lost = true;
		await collector.collect(
			[{ source: "", classes: ["cloud"], balancers: lists }],
			signal,
		);
		expect(deletes()).toEqual([]);
		expect(JSON.stringify(log.lines)).toContain("could not be deleted");
	});

	it("goes on with the next audit when the cloud fails at a deletion", async () => {
		setUp();
		await run(balancer);
		cloud.clock.pause(20 * minute);
		cloud.on("GET", runningPath).reply(200, { actions: [] });
		cloud.on("GET", listPath).reply(200, balancers(balancer));
		cloud.on("DELETE", "/v1/load_balancers/7").reply(503, {
			error: { code: "service_error", message: "try again" },
		});
		await run(balancer);
		cloud.on("DELETE", "/v1/load_balancers/7").reply(204);
		cloud.on("GET", "/v1/load_balancers/7").reply(404, notFound);
		await run(balancer);
		expect(deletes()).toHaveLength(2);
	});
});
