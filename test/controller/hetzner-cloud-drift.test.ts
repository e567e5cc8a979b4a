import { createHetznerCloud } from "../../operator/providers/hetzner-cloud/provider.ts";
import {
	createCloudProject,
	createCloudProjects,
} from "../../operator/providers/hetzner-cloud/project.ts";
import { balancerIdentity } from "../../operator/model/balancer/identity.ts";
import {
	action,
	balancer,
	balancers,
	desired,
	findPath,
	HetznerNock,
	labels,
	listener,
	listPath,
	node,
	notFound,
	origin,
	parts,
	paging,
	server,
	service,
	signal,
	token,
} from "../support/hetzner-nock.ts";
import { quietLog } from "../support/quiet-log.ts";

const base = "/v1/load_balancers/7";
const actionsBase = `${base}/actions`;
const lb11 = {
	...balancer,
	load_balancer_type: { name: "lb11" },
	location: { name: "fsn1", network_zone: "eu-central" },
};

let cloud: HetznerNock;
afterEach(() => cloud.end());

/** The balancer is known and done; then the audit's list shows it as `now`. */
async function audited(now: object | undefined): Promise<void> {
	cloud = new HetznerNock({ type: "lb11" });
	cloud.start(lb11);
	await cloud.provider.ensure(desired, signal);
	cloud.clock.pause(600_000);
	cloud.on("GET", listPath).reply(200, balancers(...(now ? [now] : [])));
	await cloud.provider.list("c1", signal);
	cloud.calls = [];
}

interface Edit {
	/** What somebody did. */
	edit: string;
	now: object | undefined;
	/** The calls that undo it, each with its exact body. */
	repair: [call: string, body?: object][];
}

const put = { name: balancer.name, labels: { ...labels, ...parts } };
const edits: Edit[] = [
	{ edit: "nothing was changed", now: lb11, repair: [] },
	{
		edit: "a listener was removed",
		now: { ...lb11, services: [] },
		repair: [[`POST ${actionsBase}/add_service`, service(80, 30080)]],
	},
	{
		edit: "a listener was sent elsewhere",
		now: { ...lb11, services: [service(80, 31000)] },
		repair: [[`POST ${actionsBase}/update_service`, service(80, 30080)]],
	},
	{
		edit: "a listener began to speak the PROXY protocol",
		now: {
			...lb11,
			services: [{ ...service(80, 30080), proxyprotocol: true }],
		},
		repair: [[`POST ${actionsBase}/update_service`, service(80, 30080)]],
	},
	{
		edit: "a target was removed",
		now: { ...lb11, targets: [server(41)] },
		repair: [[`POST ${actionsBase}/add_target`, server(42)]],
	},
	{
		edit: "the algorithm was changed",
		now: { ...lb11, algorithm: { type: "least_connections" } },
		repair: [[`POST ${actionsBase}/change_algorithm`, { type: "round_robin" }]],
	},
	{
		edit: "the type was changed",
		now: { ...lb11, load_balancer_type: { name: "lb21" } },
		repair: [
			[`POST ${actionsBase}/change_type`, { load_balancer_type: "lb11" }],
		],
	},
	{
		edit: "it was renamed",
		now: { ...lb11, name: "mine" },
		repair: [[`PUT ${base}`, put]],
	},
	{
		edit: "a label that says whose it is was changed, and one of somebody's own was added",
		now: {
			...lb11,
			labels: {
				...lb11.labels,
				"fairlead.dev/service-name": "x",
				team: "blue",
			},
		},
		repair: [
			[`PUT ${base}`, { ...put, labels: { ...put.labels, team: "blue" } }],
		],
	},
];

describe("what somebody changed out of band is found by the audit's list and repaired by the next pass", () => {
	it.each(edits)("$edit", async ({ now, repair }) => {
		await audited(now);
		for (const [call, body] of repair) {
			const [method = "", path = ""] = call.split(" ");
			cloud.on(method, path, body).reply(
				method === "PUT" ? 200 : 201,
				method === "PUT"
					? {
							load_balancer: {
								...lb11,
								labels: (body as typeof put).labels,
							},
						}
					: { action: action(3, "repair", "success") },
			);
		}
		await cloud.provider.ensure(desired, signal);
		await cloud.provider.ensure(desired, signal);
		expect(cloud.calls).toEqual(repair.map(([call]) => call));
	});

	it("all its labels were removed: it is no longer in the list, but found by its id", async () => {
		await audited(undefined);
		cloud
			.on("GET", base)
			.reply(200, { load_balancer: { ...lb11, labels: {} } });
		cloud.on("PUT", base, put).reply(200, { load_balancer: lb11 });
		await cloud.provider.ensure(desired, signal);
		expect(cloud.calls).toEqual([`GET ${base}`, `PUT ${base}`]);
	});

	it("it was deleted: another is made", async () => {
		await audited(undefined);
		cloud.on("GET", base).reply(404, notFound);
		cloud.on("GET", findPath).reply(200, balancers());
		cloud.on("POST", "/v1/load_balancers").reply(201, {
			load_balancer: { ...lb11, id: 8 },
			action: action(9, "create_load_balancer", "success"),
		});
		expect((await cloud.provider.ensure(desired, signal)).id).toBe("8");
	});
});

describe("labels", () => {
	it("that somebody set since the last look are read right before a PUT, which replaces all", async () => {
		cloud = new HetznerNock();
		cloud.start(balancer);
		await cloud.provider.ensure(desired, signal);
		cloud.clock.pause(60_000);
		cloud.on("GET", base).reply(200, {
			load_balancer: {
				...balancer,
				labels: { ...balancer.labels, team: "blue" },
			},
		});
		const after = {
			...labels,
			"fairlead.dev/owns-0": "p80_s41_s42_s43",
			team: "blue",
		};
		cloud
			.on("PUT", base, { name: balancer.name, labels: after })
			.reply(200, { load_balancer: { ...balancer, labels: after } });
		cloud
			.on("POST", `${actionsBase}/add_target`, server(43))
			.reply(201, { action: action(2, "add_target", "success") });
		const targets = [...desired.targets, node("n3", 43)];
		await cloud.provider.ensure({ ...desired, targets }, signal);
		await cloud.provider.ensure({ ...desired, targets }, signal);
	});

	it("of many balancers are read in one call before the PUTs of a node that joins them all", async () => {
		const many = [1, 2, 3].map((each) => {
			const identity = balancerIdentity("c1", `uid-${each}`);
			const own = {
				...labels,
				"fairlead.dev/service-uid": identity.serviceUid,
			};
			return {
				wanted: { ...desired, identity },
				held: {
					...balancer,
					id: each,
					name: identity.name,
					labels: { ...own, ...parts },
				},
			};
		});
		cloud = new HetznerNock();
		cloud.start(...many.map(({ held }) => held));
		const all = (targets: typeof desired.targets) =>
			Promise.all(
				many.map(({ wanted }) =>
					cloud.provider.ensure({ ...wanted, targets }, signal),
				),
			);
		await all(desired.targets);
		cloud.clock.pause(60_000);
		cloud.calls = [];
		const selector =
			"label_selector=fairlead.dev%2Fservice-uid+in+%28uid-1%2Cuid-2%2Cuid-3%29";
		cloud
			.on("GET", `/v1/load_balancers?${selector}&${paging}`)
			.reply(200, balancers(...many.map(({ held }) => held)));
		for (const { held } of many) {
			cloud.on("PUT", `/v1/load_balancers/${held.id}`).reply(200, {
				load_balancer: {
					...held,
					labels: { ...held.labels, "fairlead.dev/owns-0": "p80_s41_s42_s43" },
				},
			});
			cloud
				.on("POST", `/v1/load_balancers/${held.id}/actions/add_target`)
				.reply(201, { action: action(held.id, "add_target", "success") });
		}
		await all([...desired.targets, node("n3", 43)]);
		expect(cloud.calls).toHaveLength(1 + 2 * many.length);
		cloud.calls = [];
		await all([...desired.targets, node("n3", 43)]);
		expect(cloud.calls).toEqual([]);
	});
});

describe("a class that was edited", () => {
	it("says of a type the cloud refuses that the old one stays, and serves all the same", async () => {
		cloud = new HetznerNock({ type: "lb21" });
		cloud.start(lb11);
		cloud.on("PUT", base).reply(200, {
			load_balancer: {
				...lb11,
				labels: { ...labels, "fairlead.dev/owns-0": "p443_p80_s41_s42" },
			},
		});
		cloud
			.on("POST", `${actionsBase}/change_type`, { load_balancer_type: "lb21" })
			.reply(422, {
				error: { code: "invalid_load_balancer_type", message: "too small" },
			});
		cloud
			.on("POST", `${actionsBase}/add_service`, service(443, 30443))
			.reply(201, { action: action(2, "add_service", "success") });
		const observed = await cloud.provider.ensure(
			{ ...desired, listeners: [listener(443, 30443), listener(80, 30080)] },
			signal,
		);
		expect(observed.ports.map(({ state }) => state)).toEqual([
			"Configured",
			"Configured",
		]);
		expect(observed.kept).toContain("its type stays: ");
		expect(observed.kept).toContain("too small");
	});

	it.each([
		[{ location: "nbg1" }, "it is in location fsn1, the class says nbg1"],
		[
			{ location: "", networkZone: "us-east" },
			"it is in network zone eu-central, the class says us-east",
		],
	])(
		"keeps the balancer where it is, and says so: %j",
		async (placement, said) => {
			cloud = new HetznerNock(placement);
			cloud.start(lb11);
			const observed = await cloud.provider.ensure(desired, signal);
			expect(observed.kept).toContain(said);
			expect(observed.addresses).toEqual(["203.0.113.7"]);
			expect(cloud.calls.filter((call) => !call.startsWith("GET"))).toEqual([]);
		},
	);
});

describe("two classes with one token", () => {
	it("read one list, and know of each other's balancers", async () => {
		cloud = new HetznerNock();
		cloud.start(balancer);
		const projects = createCloudProjects();
		const options = {
			endpoint: `${origin}/v1`,
			token: async () => token,
			clusterId: "c1",
			clock: cloud.clock,
			random: () => 0,
			log: quietLog(),
		};
		const classes = ["fsn1", "nbg1"].map((location) =>
			createHetznerCloud({ ...options, location }, projects, "one"),
		);
		for (const each of classes) await each.ensure(desired, signal);
		expect(cloud.calls.filter((call) => call.includes("selector"))).toEqual([
			`GET ${listPath}`,
		]);
		expect(new Set(classes.map(({ source }) => source)).size).toBe(1);
		// What is still used goes on when one of them ends.
		await classes[0]?.close();
		await classes[0]?.close();
		await classes[1]?.ensure(desired, signal);
		await classes[1]?.close();
		expect(() =>
			projects.use("one", () => {
				throw new Error("made anew");
			}),
		).toThrow("made anew");
	});

	it("are told apart by how they are reached", () => {
		cloud = new HetznerNock();
		const projects = createCloudProjects();
		const make = () =>
			createCloudProject({
				endpoint: origin,
				token: async () => token,
				clusterId: "c1",
				clock: cloud.clock,
				random: () => 0,
				log: quietLog(),
			});
		const [one, other] = [projects.use("a", make), projects.use("b", make)];
		expect(one.project).not.toBe(other.project);
		one.release();
		other.release();
	});
});
