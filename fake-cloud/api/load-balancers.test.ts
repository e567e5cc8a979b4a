import {
	ip,
	minimal,
	tcp,
	withBalancer,
	withServer,
} from "../../test/support/cloud-samples.ts";
import { closeClouds, testCloud } from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

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
