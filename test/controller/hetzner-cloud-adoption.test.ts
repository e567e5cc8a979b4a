import {
	action,
	balancer,
	balancers,
	creation,
	desired,
	findPath,
	HetznerNock,
	labels,
	paging,
	server,
	service,
	signal,
} from "../support/hetzner-nock.ts";

const theirsPath = `/v1/load_balancers?label_selector=hcloud-ccm%2Fservice-uid%3Duid-1&${paging}`;
/** As hcloud-ccm makes it: its own name, its own label, its own pace of health checks. */
const theirs = {
	...balancer,
	name: "auid1",
	labels: { "hcloud-ccm/service-uid": "uid-1", team: "blue" },
	services: [
		{
			...service(80, 30080),
			health_check: { ...service(80, 30080).health_check, interval: 15 },
		},
		service(8080, 31000),
	],
	targets: [server(41), server(99)],
};

let cloud: HetznerNock;
beforeEach(() => {
	cloud = new HetznerNock();
	cloud.start();
	cloud.on("GET", findPath).reply(200, balancers());
});
afterEach(() => cloud.end());

const ensure = (adopt?: "Ask" | "Take") =>
	cloud.provider.ensure({ ...desired, ...(adopt ? { adopt } : {}) }, signal);

describe("a balancer that hcloud-ccm made for a Service", () => {
	it("is neither taken nor doubled before somebody says what is to become of it", async () => {
		cloud.on("GET", theirsPath).reply(200, balancers(theirs));
		await expect(ensure("Ask")).rejects.toMatchObject({
			code: "CloudAdoptionNeeded",
			retryable: false,
			message: expect.stringContaining(
				"balancer 7 (203.0.113.7, 2001:db8::7) was made for this Service by hcloud-cloud-controller-manager; stop that controller, then annotate the Service: fairlead.dev/adopt=hcloud-ccm",
			),
		});
	});

	it("keeps its address when it is taken over, and everything on it becomes Fairlead's", async () => {
		cloud.on("GET", theirsPath).reply(200, balancers(theirs));
		const taken = {
			...theirs,
			name: balancer.name,
			labels: {
				...theirs.labels,
				...labels,
				"fairlead.dev/owns-0": "p80_p8080_s41_s42_s99",
			},
		};
		cloud
			.on("PUT", "/v1/load_balancers/7", {
				name: taken.name,
				labels: taken.labels,
			})
			.reply(200, { load_balancer: taken });
		cloud
			.on("GET", `/v1/load_balancers/7/actions?status=running&${paging}`)
			.reply(200, { actions: [] });
		const actions = "/v1/load_balancers/7/actions";
		for (const [command, body] of [
			["delete_service", { listen_port: 8080 }],
			["update_service", service(80, 30080)],
			["add_target", server(42)],
			["remove_target", { type: "server", server: { id: 99 } }],
		] as const)
			cloud
				.on("POST", `${actions}/${command}`, body)
				.reply(201, { action: action(1, command, "success") });
		const observed = await ensure("Take");
		expect(observed).toMatchObject({ id: "7", addresses: ["203.0.113.7"] });
	});

	it.each([
		[
			"it would lose the PROXY protocol",
			{ services: [{ ...service(80, 30080), proxyprotocol: true }] },
			"its listener 80 uses the PROXY protocol",
		],
		[
			"it would no longer end TLS",
			{ services: [{ ...service(443, 30443), protocol: "https" }] },
			"its listener 443 speaks HTTPS",
		],
		[
			"a label selector picks its targets",
			{ targets: [{ type: "label_selector" }] },
			"label selector",
		],
	])("is not taken over when %s", async (_, change, said) => {
		cloud.on("GET", theirsPath).reply(200, balancers({ ...theirs, ...change }));
		await expect(ensure("Take")).rejects.toMatchObject({
			code: "CloudRefused",
			message: expect.stringContaining(said),
		});
	});

	it("is not guessed at when two carry the Service's label", async () => {
		cloud
			.on("GET", theirsPath)
			.reply(200, balancers(theirs, { ...theirs, id: 8 }));
		await expect(ensure("Take")).rejects.toMatchObject({
			code: "CloudAdoptionNeeded",
		});
	});

	it.each(["Ask", "Take"] as const)(
		"that is not there is made as any other: %s",
		async (adopt) => {
			cloud.on("GET", theirsPath).reply(200, balancers());
			cloud.on("POST", "/v1/load_balancers", creation).reply(201, {
				load_balancer: balancer,
				action: action(1, "create_load_balancer", "success"),
			});
			expect((await ensure(adopt)).addresses).toEqual(["203.0.113.7"]);
		},
	);

	it("is looked for when somebody asks for it while another was about to be made", async () => {
		cloud
			.on("POST", "/v1/load_balancers", creation)
			.reply(429, {}, { "retry-after": "17" });
		await expect(ensure()).rejects.toMatchObject({ code: "CloudRateLimited" });
		await cloud.clock.advance(17_000);
		cloud.on("GET", findPath).reply(200, balancers());
		cloud.on("GET", theirsPath).reply(200, balancers(theirs));
		const asked = expect(ensure("Ask")).rejects.toMatchObject({
			code: "CloudAdoptionNeeded",
		});
		await cloud.clock.advance(60_000);
		await asked;
	});

	it("is not even looked for when nobody else gave the Service an address", async () => {
		cloud.on("POST", "/v1/load_balancers", creation).reply(201, {
			load_balancer: balancer,
			action: action(1, "create_load_balancer", "success"),
		});
		await ensure();
		expect(cloud.calls.filter((call) => call.includes("hcloud-ccm"))).toEqual(
			[],
		);
	});
});
