import { Socket } from "node:net";
import {
	ip,
	minimal,
	tcp,
	withBalancer,
	withServer,
} from "../../test/support/cloud-samples.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import {
	closeClouds,
	type TestCloud,
	testCloud,
} from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

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

	test("TCP and UDP share a port, each a service of its own", async () => {
		const { cloud, path } = await withBalancer({ services: [tcp] });
		const udp = { ...tcp, protocol: "udp" };
		const act = (command: string, body: unknown) =>
			cloud.act("POST", `${path}/actions/${command}`, body);
		const ports = async () =>
			(await view(cloud, path)).services.map(
				(each: { protocol: string; destination_port: number }) =>
					`${each.protocol} ${each.destination_port}`,
			);
		await act("add_service", { ...udp, affinity_seconds: 60 });
		expect(
			await cloud.ask("POST", `${path}/actions/add_service`, udp),
		).toMatchObject({
			body: { error: { code: "source_port_already_used" } },
		});
		await act("update_service", {
			listen_port: 80,
			protocol: "udp",
			destination_port: 9,
		});
		expect(await ports()).toEqual(["tcp 8080", "udp 9"]);
		expect((await view(cloud, path)).services[1]).toMatchObject({
			affinity_seconds: 60,
			health_check: { protocol: "tcp", port: 8080 },
		});
		await act("delete_service", { listen_port: 80 });
		expect(await ports()).toEqual(["udp 9"]);
		expect(
			await cloud.ask("POST", `${path}/actions/delete_service`, {
				listen_port: 80,
			}),
		).toMatchObject({ status: 404 });
		await act("delete_service", { listen_port: 80, protocol: "udp" });
		expect(await ports()).toEqual([]);
	});

	test("UDP is refused where the network carries none, and not advertised", async () => {
		const { cloud, path } = await withBalancer(
			{},
			{ network: { connect: () => new Socket() } },
		);
		expect(
			(
				await cloud.ask("POST", `${path}/actions/add_service`, {
					...tcp,
					protocol: "udp",
				})
			).body.error.code,
		).toBe("unsupported_error");
		expect(
			(await cloud.ask("GET", "/fairlead/capabilities")).body.capabilities
				.protocols,
		).toEqual(["tcp"]);
	});

	test("several targets come and go in one action, all or none", async () => {
		const { cloud, path } = await withBalancer();
		const targets = (body: { targets: { ip: { ip: string } }[] }) =>
			body.targets.map((each) => each.ip.ip);
		const [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(ip);
		const post = (command: string, ...of: unknown[]) =>
			cloud.ask("POST", `${path}/actions/${command}`, { targets: of });
		await cloud.act("POST", `${path}/actions/add_targets`, {
			targets: [a, b],
		});
		expect(targets(await view(cloud, path))).toEqual([
			"192.0.2.1",
			"192.0.2.2",
		]);
		expect((await post("add_targets", c, b)).body.error.code).toBe(
			"target_already_defined",
		);
		expect((await post("add_targets", c, c)).body.error.code).toBe(
			"target_already_defined",
		);
		expect((await post("remove_targets", a, c)).status).toBe(404);
		expect((await post("add_targets")).status).toBe(422);
		expect(targets(await view(cloud, path))).toHaveLength(2);
		await cloud.act("POST", `${path}/actions/remove_targets`, {
			targets: [a, b],
		});
		expect(targets(await view(cloud, path))).toEqual([]);
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
