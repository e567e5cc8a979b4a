import { FakeClock } from "../../test/support/fake-clock.ts";
import {
	closeClouds,
	type TestCloud,
	testCloud,
} from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

const minimal = { name: "lb", load_balancer_type: "lb11", location: "fsn1" };
const tcp = { protocol: "tcp", listen_port: 80, destination_port: 8080 };
const ip = (address: string) => ({ type: "ip", ip: { ip: address } });

async function withBalancer(
	more: object = {},
	options: Parameters<typeof testCloud>[0] = {},
) {
	const cloud = await testCloud(options);
	const { body } = await cloud.ask("POST", "/load_balancers", {
		...minimal,
		...more,
	});
	await cloud.until(
		body.load_balancer.id,
		(balancer) => balancer?.lockedBy === null,
	);
	return {
		cloud,
		id: body.load_balancer.id as number,
		path: `/load_balancers/${body.load_balancer.id}`,
	};
}

async function withServer(cloud: TestCloud, more: object = {}) {
	const { body } = await cloud.ask("POST", "/servers", {
		name: `node-${Math.random().toString(36).slice(2)}`,
		server_type: "cx22",
		image: "ubuntu-24.04",
		location: "fsn1",
		...more,
	});
	await cloud.untilServer(
		body.server.id,
		(server) => server?.lockedBy === null,
	);
	return (await cloud.ask("GET", `/servers/${body.server.id}`)).body.server;
}

describe("who may ask", () => {
	test.each([
		["no token", "GET", null, 401, "unauthorized"],
		["an unknown token", "GET", "unknown", 401, "unauthorized"],
		["a reading token that writes", "POST", "reader", 403, "forbidden"],
		["a reading token that reads", "GET", "reader", 200, undefined],
	])("%s: %s", async (_, method, token, status, code) => {
		const cloud = await testCloud();
		const answer = await cloud.ask(
			method,
			"/load_balancers",
			method === "POST" ? minimal : undefined,
			token,
		);
		expect([answer.status, answer.body.error?.code]).toEqual([status, code]);
	});

	test("a project sees nothing of another, and may use the same names", async () => {
		const { cloud, path, id } = await withBalancer();
		const theirs = (method: string, path: string, body?: unknown) =>
			cloud.ask(method, path, body, "other");
		expect(
			(await theirs("GET", "/load_balancers")).body.load_balancers,
		).toEqual([]);
		expect((await theirs("GET", path)).status).toBe(404);
		expect((await theirs("DELETE", path)).status).toBe(404);
		expect((await theirs("PUT", path, { name: "x" })).status).toBe(404);
		expect(
			(await theirs("POST", `${path}/actions/add_service`, tcp)).status,
		).toBe(404);
		expect((await theirs("GET", "/actions")).body.actions).toEqual([]);
		const { body } = await theirs("POST", "/load_balancers", minimal);
		expect(body.load_balancer.id).toBeGreaterThan(id);
		expect(body.load_balancer.public_net.ipv4.ip).toBe("203.0.113.2");
	});

	test("requests are counted per project and refused with 429 when the hour's are used up", async () => {
		const clock = new FakeClock();
		const cloud = await testCloud({
			clock,
			rateLimit: { limit: 2, perSecond: 1 },
		});
		const ask = async (token = "token") => {
			const { status, headers, body } = await cloud.ask(
				"GET",
				"/locations",
				undefined,
				token,
			);
			return [
				status,
				headers.get("ratelimit-limit"),
				headers.get("ratelimit-remaining"),
				body.error?.code,
			];
		};
		const reset = Number(
			(await cloud.ask("GET", "/locations")).headers.get("ratelimit-reset"),
		);
		expect(reset).toBe(clock.now() / 1000 + 1);
		expect(await ask("reader")).toEqual([200, "2", "0", undefined]);
		expect(await ask()).toEqual([429, "2", "0", "rate_limit_exceeded"]);
		expect(await ask("other")).toEqual([200, "2", "1", undefined]);
		await clock.advance(1000);
		expect(await ask()).toEqual([200, "2", "0", undefined]);
	});
});

describe("what is wrong with a request is said in Hetzner's words:", () => {
	const many = (count: number) =>
		Array.from({ length: count }, (_, i) => ({ ...tcp, listen_port: i + 1 }));
	test.each<[string, object, number, string, string]>([
		["no name", { name: undefined }, 422, "invalid_input", "name"],
		["a bad name", { name: "a b" }, 422, "invalid_input", "name"],
		[
			"no type",
			{ load_balancer_type: undefined },
			422,
			"invalid_input",
			"load_balancer_type",
		],
		[
			"an unknown type",
			{ load_balancer_type: "lb99" },
			422,
			"invalid_input",
			"load_balancer_type",
		],
		[
			"neither location nor zone",
			{ location: undefined },
			422,
			"invalid_input",
			"location",
		],
		[
			"an unknown location",
			{ location: "mars" },
			422,
			"invalid_input",
			"location",
		],
		[
			"an unknown zone",
			{ location: undefined, network_zone: "mars" },
			422,
			"invalid_input",
			"network_zone",
		],
		["a bad label", { labels: { "-": "x" } }, 422, "invalid_input", "labels"],
		[
			"an unknown algorithm",
			{ algorithm: { type: "random" } },
			422,
			"invalid_input",
			"algorithm.type",
		],
		[
			"an unknown protocol",
			{ services: [{ ...tcp, protocol: "udp" }] },
			422,
			"invalid_input",
			"services.0.protocol",
		],
		[
			"port 0",
			{ services: [{ ...tcp, listen_port: 0 }] },
			422,
			"invalid_input",
			"services.0.listen_port",
		],
		[
			"port 65536",
			{ services: [{ ...tcp, destination_port: 65_536 }] },
			422,
			"invalid_input",
			"services.0.destination_port",
		],
		[
			"tcp without a destination",
			{ services: [{ ...tcp, destination_port: undefined }] },
			422,
			"invalid_input",
			"destination_port",
		],
		[
			"checks every 2 s",
			{ services: [{ ...tcp, health_check: { interval: 2 } }] },
			422,
			"invalid_input",
			"services.0.health_check.interval",
		],
		[
			"6 retries",
			{ services: [{ ...tcp, health_check: { retries: 6 } }] },
			422,
			"invalid_input",
			"services.0.health_check.retries",
		],
		[
			"a bad source range",
			{ services: [{ ...tcp, source_ranges: ["10.0.0.0/33"] }] },
			422,
			"invalid_input",
			"services.0.source_ranges.0",
		],
		[
			"https",
			{ services: [{ protocol: "https" }] },
			422,
			"unsupported_error",
			"",
		],
		[
			"one port twice",
			{ services: [tcp, tcp] },
			422,
			"source_port_already_used",
			"",
		],
		[
			"6 services of an lb11",
			{ services: many(6) },
			403,
			"resource_limit_exceeded",
			"",
		],
		[
			"an unknown kind of target",
			{ targets: [{ type: "cat" }] },
			422,
			"invalid_input",
			"targets.0.type",
		],
		[
			"a target that is no address",
			{ targets: [ip("1.2.3")] },
			422,
			"invalid_input",
			"targets.0.ip.ip",
		],
		[
			"a target that is no server",
			{ targets: [{ type: "server", server: { id: 1 } }] },
			422,
			"invalid_input",
			"server.id",
		],
		[
			"a target twice",
			{ targets: [ip("::1"), ip("0:0::1")] },
			422,
			"target_already_defined",
			"",
		],
		[
			"26 targets of an lb11",
			{ targets: Array.from({ length: 26 }, (_, i) => ip(`10.0.0.${i}`)) },
			403,
			"resource_limit_exceeded",
			"",
		],
		[
			"a private target without a network",
			{
				targets: [
					{
						type: "label_selector",
						label_selector: { selector: "a" },
						use_private_ip: true,
					},
				],
			},
			422,
			"load_balancer_not_attached_to_network",
			"",
		],
		[
			"a bad selector",
			{
				targets: [
					{ type: "label_selector", label_selector: { selector: "a in b" } },
				],
			},
			422,
			"invalid_input",
			"targets.0.label_selector.selector",
		],
		["an unknown network", { network: 5 }, 422, "invalid_input", "network"],
	])("%s", async (_, more, status, code, field) => {
		const cloud = await testCloud();
		const { status: got, body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			...more,
		});
		expect([
			got,
			body.error.code,
			body.error.details.fields?.[0].name ?? "",
		]).toEqual([status, code, field]);
		expect(
			(await cloud.ask("GET", "/load_balancers")).body.load_balancers,
		).toEqual([]);
	});

	test("the message names the field, the value and what is allowed", async () => {
		const cloud = await testCloud();
		const { body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			services: [{ ...tcp, protocol: "udp" }],
		});
		expect(body.error.message).toBe(
			`invalid input in field 'services.0.protocol': must be tcp, http or https, got "udp"`,
		);
	});

	test.each([
		["POST", "/load_balancers", "{", 400, "json_error"],
		["POST", "/load_balancers", "[]", 422, "invalid_input"],
		["POST", "/load_balancers", '"x"', 422, "invalid_input"],
		["GET", "/load_balancers/abc", undefined, 404, "not_found"],
		["GET", "/load_balancers/%zz", undefined, 404, "not_found"],
		["GET", "/load_balancers?page=0", undefined, 422, "invalid_input"],
		["GET", "/load_balancers?per_page=51", undefined, 422, "invalid_input"],
		["GET", "/load_balancers?sort=cats", undefined, 422, "invalid_input"],
		[
			"GET",
			"/load_balancers?label_selector=a%20b",
			undefined,
			422,
			"invalid_input",
		],
		["GET", "/cats", undefined, 404, "not_found"],
		["PATCH", "/load_balancers", undefined, 404, "not_found"],
	])("%s %s %s", async (method, path, body, status, code) => {
		const cloud = await testCloud();
		const answer = await cloud.ask(method, path, body);
		expect([answer.status, answer.body.error.code]).toEqual([status, code]);
		expect(cloud.log.lines).toEqual([]);
	});
});

describe("a load balancer", () => {
	test("is created with all that Hetzner's clients send, and read back the same", async () => {
		const cloud = await testCloud();
		const server = await withServer(cloud);
		const created = await cloud.ask("POST", "/load_balancers", {
			name: "all",
			load_balancer_type: 2,
			network_zone: "us-east",
			labels: { a: "b" },
			algorithm: { type: "least_connections" },
			public_interface: true,
			services: [
				{
					...tcp,
					proxyprotocol: true,
					health_check: {
						protocol: "http",
						port: 9,
						interval: 5,
						timeout: 3,
						retries: 2,
						http: { path: "/x", domain: "d", status_codes: ["200"] },
					},
				},
				{
					protocol: "http",
					http: {
						sticky_sessions: true,
						cookie_name: "C",
						cookie_lifetime: 60,
					},
					listen_port: 81,
				},
			],
			targets: [
				{ type: "server", server: { id: server.id } },
				ip("192.0.2.9"),
				{ type: "label_selector", label_selector: { selector: "role=node" } },
			],
		});
		expect(created.status).toBe(201);
		expect(created.body.action).toMatchObject({
			command: "create_load_balancer",
			status: "running",
			error: null,
			finished: null,
			resources: [{ id: created.body.load_balancer.id, type: "load_balancer" }],
		});
		const { body } = await cloud.ask(
			"GET",
			`/load_balancers/${created.body.load_balancer.id}`,
		);
		expect(body.load_balancer).toMatchObject({
			name: "all",
			labels: { a: "b" },
			algorithm: { type: "least_connections" },
			protection: { delete: false },
			location: { name: "ash", network_zone: "us-east" },
			load_balancer_type: { name: "lb21", max_targets: 75 },
			public_net: {
				enabled: true,
				ipv4: {
					ip: "203.0.113.1",
					dns_ptr: "static.1.113.0.203.clients.your-server.de",
				},
				ipv6: { ip: "2001:db8:fa1::1" },
			},
			services: [
				{
					...tcp,
					proxyprotocol: true,
					health_check: {
						protocol: "http",
						port: 9,
						interval: 5,
						timeout: 3,
						retries: 2,
						http: {
							path: "/x",
							domain: "d",
							response: "",
							status_codes: ["200"],
							tls: false,
						},
					},
				},
				{
					protocol: "http",
					listen_port: 81,
					destination_port: 80,
					proxyprotocol: false,
					http: {
						sticky_sessions: true,
						cookie_name: "C",
						cookie_lifetime: 60,
						certificates: [],
						redirect_http: false,
					},
					health_check: {
						protocol: "http",
						port: 80,
						interval: 15,
						timeout: 10,
						retries: 3,
						http: { path: "/", status_codes: ["2??", "3??"] },
					},
				},
			],
			targets: [
				{ type: "server", server: { id: server.id }, use_private_ip: false },
				{ type: "ip", ip: { ip: "192.0.2.9" } },
				{
					type: "label_selector",
					label_selector: { selector: "role=node" },
					targets: [],
				},
			],
		});
		expect(body.load_balancer.targets[0].health_status).toEqual([
			{ listen_port: 80, status: "unknown" },
			{ listen_port: 81, status: "unknown" },
		]);
		expect(
			(await cloud.ask("GET", `/servers/${server.id}`)).body.server
				.load_balancers,
		).toEqual([body.load_balancer.id]);
	});

	test("has a name of its own in its project", async () => {
		const { cloud, path } = await withBalancer();
		const again = await cloud.ask("POST", "/load_balancers", minimal);
		expect([again.status, again.body.error]).toMatchObject([
			409,
			{ code: "uniqueness_error", details: { fields: [{ name: "name" }] } },
		]);
		await cloud.ask("POST", "/load_balancers", { ...minimal, name: "second" });
		expect(
			(await cloud.ask("PUT", path, { name: "second" })).body.error.code,
		).toBe("uniqueness_error");
		expect(
			(await cloud.ask("PUT", path, { name: "lb", labels: { x: "y" } })).body
				.load_balancer.labels,
		).toEqual({ x: "y" });
	});

	test("is found by label, by name, sorted and page by page", async () => {
		const cloud = await testCloud();
		for (let n = 1; n <= 7; n++)
			await cloud.ask("POST", "/load_balancers", {
				...minimal,
				name: `lb-${n}`,
				labels: { odd: String(n % 2) },
			});
		const names = async (query: string) => {
			const { body, headers } = await cloud.ask(
				"GET",
				`/load_balancers?${query}`,
			);
			return {
				names: body.load_balancers
					.map(({ name }: { name: string }) => name.slice(3))
					.join(""),
				...body.meta.pagination,
				link: headers.get("link"),
			};
		};
		expect(await names("label_selector=odd%3D1")).toMatchObject({
			names: "1357",
			total_entries: 4,
			next_page: null,
			previous_page: null,
		});
		expect(await names("name=lb-3")).toMatchObject({ names: "3" });
		expect(await names("sort=name:desc&per_page=3&page=2")).toMatchObject({
			names: "432",
			next_page: 3,
			previous_page: 1,
			last_page: 3,
			per_page: 3,
			page: 2,
			link: expect.stringContaining(
				'</v1/load_balancers?page=3&per_page=3>; rel="next"',
			),
		});
		expect(await names("sort=id:asc&per_page=3&page=3")).toMatchObject({
			names: "7",
			next_page: null,
		});
	});

	test("is deleted by an action; its address is then the next one's", async () => {
		const { cloud, path } = await withBalancer();
		const { status, body } = await cloud.ask("DELETE", path);
		expect([status, body.action.command, body.action.status]).toEqual([
			201,
			"delete_load_balancer",
			"running",
		]);
		await cloud.until(
			body.action.resources[0].id,
			(balancer) => balancer === undefined,
		);
		expect((await cloud.ask("GET", path)).status).toBe(404);
		expect(
			(await cloud.ask("GET", `/actions/${body.action.id}`)).body.action,
		).toMatchObject({ status: "success", progress: 100 });
		expect(
			(await cloud.ask("POST", "/load_balancers", minimal)).body.load_balancer
				.public_net.ipv4.ip,
		).toBe("203.0.113.1");
	});

	test("that is protected is not deleted", async () => {
		const { cloud, path } = await withBalancer();
		await cloud.act("POST", `${path}/actions/change_protection`, {
			delete: true,
		});
		const { status, body } = await cloud.ask("DELETE", path);
		expect([status, body.error.code]).toEqual([423, "protected"]);
		await cloud.act("POST", `${path}/actions/change_protection`, {
			delete: false,
		});
		expect((await cloud.act("DELETE", path)).status).toBe("success");
	});

	test("of which there are more than addresses is refused, and nothing is left of it", async () => {
		const cloud = await testCloud({
			addressRanges: { ipv4: "203.0.113.0/30" },
		});
		const statuses: number[] = [];
		for (let n = 1; n <= 3; n++)
			statuses.push(
				(
					await cloud.ask("POST", "/load_balancers", {
						...minimal,
						name: `lb-${n}`,
					})
				).status,
			);
		expect(statuses).toEqual([201, 201, 412]);
		expect(
			(await cloud.ask("GET", "/load_balancers")).body.load_balancers,
		).toHaveLength(2);
	});
});

describe("actions on a load balancer", () => {
	const view = async (cloud: TestCloud, path: string) =>
		(await cloud.ask("GET", path)).body.load_balancer;

	test("add, change and remove services", async () => {
		const { cloud, path } = await withBalancer();
		const act = (command: string, body: unknown) =>
			cloud.act("POST", `${path}/actions/${command}`, body);
		expect(
			await act("add_service", {
				...tcp,
				source_ranges: ["10.1.2.3/8"],
				affinity_seconds: 60,
			}),
		).toMatchObject({ command: "add_service", status: "success" });
		expect((await view(cloud, path)).services[0]).toMatchObject({
			...tcp,
			source_ranges: ["10.0.0.0/8"],
			affinity_seconds: 60,
		});
		await act("add_service", { ...tcp, listen_port: 79 });
		await act("update_service", {
			listen_port: 80,
			destination_port: 9,
			affinity_seconds: null,
			health_check: { retries: 5 },
		});
		const [, changed] = (await view(cloud, path)).services;
		expect(changed).toMatchObject({
			destination_port: 9,
			source_ranges: ["10.0.0.0/8"],
			health_check: { retries: 5, port: 8080, interval: 15 },
		});
		expect(changed.affinity_seconds).toBeUndefined();
		await act("delete_service", { listen_port: 79 });
		expect(
			(await view(cloud, path)).services.map(
				({ listen_port }: { listen_port: number }) => listen_port,
			),
		).toEqual([80]);
	});

	test("add and remove targets of every kind; matching servers come and go with their labels", async () => {
		const { cloud, path } = await withBalancer({ services: [tcp] });
		const server = await withServer(cloud, { labels: { role: "node" } });
		const targets = [
			{ type: "server", server: { id: server.id } },
			{ type: "label_selector", label_selector: { selector: "role=node" } },
			ip("192.0.2.9"),
		];
		for (const target of targets)
			await cloud.act("POST", `${path}/actions/add_target`, target);
		const added = (await view(cloud, path)).targets;
		expect(added).toMatchObject(targets);
		expect(added[1].targets).toMatchObject([
			{
				type: "server",
				server: { id: server.id },
				health_status: [{ listen_port: 80 }],
			},
		]);
		await cloud.ask("PUT", `/servers/${server.id}`, { labels: {} });
		expect((await view(cloud, path)).targets[1].targets).toEqual([]);
		for (const target of targets)
			await cloud.act("POST", `${path}/actions/remove_target`, target);
		expect((await view(cloud, path)).targets).toEqual([]);
	});

	test("change algorithm, type, reverse DNS, public interface and network", async () => {
		const { cloud, path } = await withBalancer({ services: [tcp] });
		const { body } = await cloud.ask("POST", "/networks", {
			name: "net",
			ip_range: "10.0.0.0/16",
			subnets: [
				{ type: "cloud", ip_range: "10.0.1.0/24", network_zone: "eu-central" },
			],
		});
		const network = body.network.id;
		await cloud.act("POST", `${path}/actions/change_algorithm`, {
			type: "least_connections",
		});
		await cloud.act("POST", `${path}/actions/change_type`, {
			load_balancer_type: "lb31",
		});
		await cloud.act("POST", `${path}/actions/change_dns_ptr`, {
			ip: "203.0.113.1",
			dns_ptr: "lb.example.org",
		});
		await cloud.act("POST", `${path}/actions/attach_to_network`, { network });
		await cloud.act("POST", `${path}/actions/disable_public_interface`);
		expect(await view(cloud, path)).toMatchObject({
			algorithm: { type: "least_connections" },
			load_balancer_type: { name: "lb31" },
			public_net: { enabled: false, ipv4: { dns_ptr: "lb.example.org" } },
			private_net: [{ network, ip: "10.0.1.2" }],
		});
		const server = await withServer(cloud, { networks: [network] });
		expect(server.private_net).toMatchObject([{ network, ip: "10.0.1.3" }]);
		await cloud.act("POST", `${path}/actions/add_target`, {
			type: "server",
			server: { id: server.id },
			use_private_ip: true,
		});
		expect(
			(await cloud.ask("DELETE", `/networks/${network}`)).body.error.code,
		).toBe("resource_in_use");
		await cloud.act("POST", `${path}/actions/detach_from_network`, { network });
		await cloud.act("POST", `${path}/actions/enable_public_interface`);
		expect(await view(cloud, path)).toMatchObject({
			public_net: { enabled: true },
			private_net: [],
		});
	});

	test.each([
		["add_service", tcp, 422, "source_port_already_used"],
		["update_service", { listen_port: 81 }, 404, "not_found"],
		["delete_service", { listen_port: 81 }, 404, "not_found"],
		["add_target", ip("192.0.2.1"), 422, "target_already_defined"],
		["remove_target", ip("192.0.2.2"), 404, "not_found"],
		["change_algorithm", { type: "x" }, 422, "invalid_input"],
		["change_type", { load_balancer_type: "x" }, 422, "invalid_input"],
		[
			"change_dns_ptr",
			{ ip: "192.0.2.3", dns_ptr: null },
			422,
			"invalid_input",
		],
		["attach_to_network", { network: 5 }, 404, "not_found"],
		[
			"detach_from_network",
			{ network: 5 },
			422,
			"load_balancer_not_attached_to_network",
		],
		["change_cats", {}, 404, "not_found"],
	])("%s %j is refused with %i %s", async (command, body, status, code) => {
		const { cloud, path } = await withBalancer({
			services: [tcp],
			targets: [ip("192.0.2.1")],
		});
		const answer = await cloud.ask("POST", `${path}/actions/${command}`, body);
		expect([answer.status, answer.body.error.code]).toEqual([status, code]);
	});

	test("run one at a time: the next is refused as locked, and takes place afterwards", async () => {
		const clock = new FakeClock();
		const cloud = await testCloud({ clock, actionMs: 1000 });
		const { body } = await cloud.ask("POST", "/load_balancers", minimal);
		const path = `/load_balancers/${body.load_balancer.id}`;
		const locked = await cloud.ask("POST", `${path}/actions/add_service`, tcp);
		expect([locked.status, locked.body.error.code]).toEqual([423, "locked"]);
		expect((await cloud.ask("DELETE", path)).body.error.code).toBe("locked");
		expect((await cloud.ask("PUT", path, { labels: { a: "b" } })).status).toBe(
			200,
		);
		await clock.advance(500);
		expect(
			(await cloud.ask("GET", `/actions/${body.action.id}`)).body.action,
		).toMatchObject({ status: "running", progress: 50, finished: null });
		await clock.advance(500);
		expect(
			(await cloud.ask("GET", `/actions/${body.action.id}`)).body.action,
		).toMatchObject({
			status: "success",
			progress: 100,
			finished: "2026-01-01T00:00:01+00:00",
		});
		const added = await cloud.ask("POST", `${path}/actions/add_service`, tcp);
		expect(added.status).toBe(201);
		expect((await view(cloud, path)).services).toEqual([]);
		await clock.advance(1000);
		expect((await view(cloud, path)).services).toMatchObject([tcp]);
	});

	test("are listed by id, by status, by balancer and by kind", async () => {
		const { cloud, id, path } = await withBalancer();
		await cloud.act("POST", `${path}/actions/add_service`, tcp);
		await withServer(cloud);
		const ids = async (path: string) =>
			(await cloud.ask("GET", path)).body.actions.map(
				({ command }: { command: string }) => command,
			);
		const all = (await cloud.ask("GET", "/actions")).body.actions;
		expect(all.map(({ command }: { command: string }) => command)).toEqual([
			"create_load_balancer",
			"add_service",
			"create_server",
		]);
		expect(
			await ids(`/actions?id=${all[0].id}&id=${all[2].id}&sort=id:desc`),
		).toEqual(["create_server", "create_load_balancer"]);
		expect(await ids("/actions?status=running")).toEqual([]);
		expect(
			await ids(`/load_balancers/${id}/actions?status=success&sort=command`),
		).toEqual(["add_service", "create_load_balancer"]);
		expect(await ids("/servers/actions")).toEqual(["create_server"]);
		expect(
			(await cloud.ask("GET", `${path}/actions/${all[1].id}`)).body.action
				.command,
		).toBe("add_service");
		expect(
			(await cloud.ask("GET", `${path}/actions/${all[2].id}`)).status,
		).toBe(404);
	});
});

describe("a server", () => {
	test("can stand for an address of this machine, and is reachable while it runs", async () => {
		const cloud = await testCloud();
		const server = await withServer(cloud, {
			fairlead: { address: "127.0.0.2" },
		});
		expect(server).toMatchObject({
			status: "running",
			public_net: { ipv4: { ip: "127.0.0.2" } },
		});
		const { body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			services: [tcp],
			targets: [{ type: "server", server: { id: server.id } }],
		});
		const target = () =>
			cloud.state().balancers.find(({ id }) => id === body.load_balancer.id)
				?.targets[0];
		expect(target()).toMatchObject({
			key: `server:${server.id}`,
			address: "127.0.0.2",
			problem: null,
		});
		await cloud.act("POST", `/servers/${server.id}/actions/poweroff`);
		expect(target()).toMatchObject({
			address: null,
			problem: "the server is off",
			health: [{ status: "unhealthy" }],
		});
		await cloud.act("POST", `/servers/${server.id}/actions/poweron`);
		expect(target()).toMatchObject({ address: "127.0.0.2" });
		await cloud.act("DELETE", `/servers/${server.id}`);
		expect(target()).toBeUndefined();
	});

	test.each([
		[{ name: "a_b" }, "name"],
		[{ server_type: "huge" }, "server_type"],
		[{ image: "windows" }, "image"],
		[{ location: "mars" }, "location"],
		[{ fairlead: { address: "x" } }, "fairlead.address"],
	])("%j is refused", async (more, field) => {
		const cloud = await testCloud();
		const { status, body } = await cloud.ask("POST", "/servers", {
			name: "a",
			server_type: "cx22",
			image: "ubuntu-24.04",
			...more,
		});
		expect([status, body.error.details.fields[0].name]).toEqual([422, field]);
	});
});

test.each([
	"locations",
	"datacenters",
	"server_types",
	"load_balancer_types",
	"images",
	"certificates",
	"networks",
	"ssh_keys",
	"servers",
])("GET /%s gives a page of them", async (many) => {
	const cloud = await testCloud();
	const { status, body } = await cloud.ask("GET", `/${many}`);
	expect([
		status,
		Array.isArray(body[many]),
		body.meta.pagination.page,
	]).toEqual([200, true, 1]);
	const [first] = body[many];
	if (first)
		expect((await cloud.ask("GET", `/${many}/${first.id}`)).body).toEqual({
			[many.slice(0, -1)]: first,
		});
});

test("an SSH key has the fingerprint ssh-keygen gives it, and is there once", async () => {
	const cloud = await testCloud();
	const key =
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here";
	const { status, body } = await cloud.ask("POST", "/ssh_keys", {
		name: "mine",
		public_key: key,
	});
	expect(status).toBe(201);
	expect(body.ssh_key.fingerprint).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
	expect(
		(await cloud.ask("POST", "/ssh_keys", { name: "again", public_key: key }))
			.body.error.code,
	).toBe("uniqueness_error");
	expect(
		(
			await cloud.ask("POST", "/ssh_keys", {
				name: "bad",
				public_key: "ssh-rsa AAAA",
			})
		).body.error.code,
	).toBe("invalid_input");
	expect(
		(await cloud.ask("DELETE", `/ssh_keys/${body.ssh_key.id}`)).status,
	).toBe(204);
});

test("what this cloud has that Hetzner's has not is advertised", async () => {
	const cloud = await testCloud();
	expect(
		(await cloud.ask("GET", "/fairlead/capabilities")).body.capabilities,
	).toMatchObject({
		protocols: ["tcp"],
		source_ranges: true,
		affinity: true,
		batch_targets: false,
	});
});
