import { request } from "node:http";
import { minimal } from "../../test/support/cloud-samples.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import {
	closeClouds,
	type TestCloud,
	testCloud,
} from "../../test/support/fake-cloud.ts";
import type { Fault } from "./live.ts";

afterEach(closeClouds);

const order = (cloud: TestCloud, ...faults: Fault[]) =>
	cloud.own("PUT", "/faults", { faults });

describe("an ordered fault", () => {
	test.each<[string, Fault["effect"], number, unknown]>([
		[
			"error",
			{ kind: "error", status: 502, code: "bad_gateway", message: "no" },
			502,
			{ error: { code: "bad_gateway", message: "no", details: {} } },
		],
		[
			"rate limit",
			{ kind: "rate-limit" },
			429,
			{ error: { code: "rate_limit_exceeded" } },
		],
	])("answers with %s and does nothing", async (_, effect, status, body) => {
		const cloud = await testCloud();
		await order(cloud, { match: { method: "POST" }, count: 1, effect });
		const answer = await cloud.ask("POST", "/load_balancers", minimal);
		expect(answer.status).toBe(status);
		expect(answer.body).toMatchObject(body as object);
		expect(
			(await cloud.ask("GET", "/load_balancers")).body.load_balancers,
		).toEqual([]);
		expect((await cloud.ask("POST", "/load_balancers", minimal)).status).toBe(
			201,
		);
		expect((await cloud.own("GET", "/faults")).body.faults).toMatchObject([
			{ hits: 1, effect },
		]);
	});

	test("asks to come back later", async () => {
		const cloud = await testCloud();
		await order(cloud, {
			effect: { kind: "error", status: 503, retryAfterSeconds: 7 },
		});
		expect(
			(await cloud.ask("GET", "/locations")).headers.get("retry-after"),
		).toBe("7");
	});

	test("answers garbage", async () => {
		const cloud = await testCloud();
		await order(cloud, { effect: { kind: "garbage" } });
		await expect(cloud.ask("GET", "/locations")).rejects.toThrow("JSON");
		await order(cloud, {
			effect: { kind: "garbage", body: "<html>", contentType: "text/html" },
		});
		expect((await cloud.ask("GET", "/locations")).body).toBe("<html>");
	});

	test("drops the answer after the effect, or the request before it", async () => {
		const cloud = await testCloud();
		const names = async () =>
			(await cloud.ask("GET", "/load_balancers")).body.load_balancers.map(
				({ name }: { name: string }) => name,
			);
		await order(
			cloud,
			{ match: { method: "POST" }, count: 1, effect: { kind: "drop-request" } },
			{
				match: { method: "POST" },
				after: 0,
				count: 1,
				effect: { kind: "drop-response" },
			},
		);
		await expect(cloud.ask("POST", "/load_balancers", minimal)).rejects.toThrow(
			"fetch failed",
		);
		expect(await names()).toEqual([]);
		await expect(cloud.ask("POST", "/load_balancers", minimal)).rejects.toThrow(
			"fetch failed",
		);
		expect(await names()).toEqual(["lb"]);
	});

	test("makes requests wait", async () => {
		const clock = new FakeClock();
		const cloud = await testCloud({ clock });
		await order(cloud, { effect: { kind: "latency", ms: 1000 } });
		let answered = false;
		const answer = cloud.ask("GET", "/locations").then(() => {
			answered = true;
		});
		while (!clock.waiting().includes(1000)) await new Promise(setImmediate);
		await clock.advance(999);
		expect(answered).toBe(false);
		await clock.advance(1);
		await answer;
	});

	test("keeps an action from ending until it is lifted", async () => {
		const clock = new FakeClock();
		const cloud = await testCloud({ clock, actionMs: 10 });
		await order(cloud, { effect: { kind: "action-stuck" } });
		const { body } = await cloud.ask("POST", "/load_balancers", minimal);
		await clock.advance(60_000);
		expect(cloud.state().actions).toMatchObject([
			{ id: body.action.id, status: "running", stuck: true },
		]);
		await cloud.own("DELETE", "/faults");
		await clock.advance(10);
		expect(cloud.state().actions).toMatchObject([
			{ status: "success", stuck: false },
		]);
	});

	test("that is lifted lets go what it held, and nothing that another holds", async () => {
		const clock = new FakeClock();
		const cloud = await testCloud({ clock, actionMs: 10 });
		const held = (id: string, path: string): Fault => ({
			id,
			match: { path },
			effect: { kind: "action-stuck" },
		});
		await order(cloud, held("a", "load_balancers"), held("b", "networks"));
		await cloud.ask("POST", "/load_balancers", minimal);
		await cloud.ask("POST", "/networks", {
			name: "n",
			ip_range: "10.0.0.0/16",
		});
		const { body } = await cloud.ask("POST", "/servers", {
			name: "s",
			server_type: "cx22",
			image: "ubuntu-24.04",
			location: "fsn1",
		});
		await clock.advance(10);
		await order(cloud, held("b", "networks"), held("c", "servers"));
		await cloud.ask("POST", `/servers/${body.server.id}/actions/poweroff`);
		await clock.advance(60_000);
		const stuck = () =>
			cloud
				.state()
				.actions.filter((action) => action.stuck)
				.map(({ command }) => command);
		expect(stuck()).toEqual(["stop_server"]);
		await cloud.own("DELETE", "/faults/b");
		expect(stuck()).toEqual(["stop_server"]);
		await cloud.own("DELETE", "/faults/c");
		expect(stuck()).toEqual([]);
	});

	test("lets an action fail without effect; a create that fails leaves nothing", async () => {
		const cloud = await testCloud();
		await order(cloud, {
			match: { path: "add_service" },
			count: 1,
			effect: { kind: "action-failed", code: "c", message: "m" },
		});
		const { body } = await cloud.ask("POST", "/load_balancers", minimal);
		const path = `/load_balancers/${body.load_balancer.id}`;
		await cloud.until(
			body.load_balancer.id,
			(balancer) => balancer?.lockedBy === null,
		);
		const service = { protocol: "tcp", listen_port: 80, destination_port: 80 };
		expect(
			await cloud.act("POST", `${path}/actions/add_service`, service),
		).toMatchObject({ status: "error", error: { code: "c", message: "m" } });
		expect((await cloud.ask("GET", path)).body.load_balancer.services).toEqual(
			[],
		);
		await order(cloud, { effect: { kind: "action-failed" } });
		expect(
			(await cloud.act("POST", "/load_balancers", { ...minimal, name: "b" }))
				.status,
		).toBe("error");
		expect(cloud.state().balancers.map(({ name }) => name)).toEqual(["lb"]);
	});

	test("sets a quota", async () => {
		const cloud = await testCloud();
		await order(cloud, {
			effect: { kind: "quota", resource: "load_balancer", limit: 1 },
		});
		await cloud.ask("POST", "/load_balancers", minimal);
		const { status, body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			name: "b",
		});
		expect([status, body.error.code, body.error.details]).toEqual([
			403,
			"resource_limit_exceeded",
			{ limits: [{ name: "load_balancer_limit" }] },
		]);
	});

	test.each([
		[{ faults: [{ effect: { kind: "cat" } }] }, "faults.0.effect.kind"],
		[
			{ faults: [{ match: { path: "(" }, effect: { kind: "rate-limit" } }] },
			"faults.0.match.path",
		],
		[
			{ faults: [{ probability: 2, effect: { kind: "rate-limit" } }] },
			"faults.0.probability",
		],
		[{}, "faults"],
	])(
		"%j is refused by field, and the faults stay as they were",
		async (body, field) => {
			const cloud = await testCloud();
			await order(cloud, { id: "mine", effect: { kind: "rate-limit" } });
			const answer = await cloud.own("PUT", "/faults", body);
			expect([answer.status, answer.body.error.details.fields[0].name]).toEqual(
				[422, field],
			);
			expect((await cloud.own("GET", "/faults")).body.faults).toMatchObject([
				{ id: "mine" },
			]);
			expect((await cloud.own("DELETE", "/faults/mine")).body.faults).toEqual(
				[],
			);
			expect((await cloud.own("DELETE", "/faults/mine")).status).toBe(404);
		},
	);

	test("cannot be ordered by a page from elsewhere", async () => {
		const cloud = await testCloud();
		const send = (origin: string) =>
			fetch(`${cloud.url}/fairlead/faults`, {
				method: "PUT",
				headers: { Origin: origin },
				body: '{"faults":[]}',
			});
		expect((await send("https://example.org")).status).toBe(403);
		expect((await send(cloud.url)).status).toBe(200);
	});

	test("cannot be ordered or read by a page whose name was made to point here", async () => {
		const cloud = await testCloud();
		const send = (method: string, headers: Record<string, string>) =>
			new Promise<number | undefined>((resolve, reject) => {
				request(
					`${cloud.url}/fairlead/faults`,
					{ method, headers: { host: "rebound.example.org", ...headers } },
					(answer) => {
						answer.resume();
						resolve(answer.statusCode);
					},
				)
					.on("error", reject)
					.end(method === "PUT" ? '{"faults":[]}' : undefined);
			});
		const origin = "http://rebound.example.org";
		expect(await send("PUT", { origin })).toBe(403);
		expect(await send("GET", { "sec-fetch-site": "same-origin" })).toBe(403);
		expect(await send("GET", {})).toBe(200);
	});
});

describe("an edit behind the clients' back", () => {
	test("is done at once, whatever runs", async () => {
		const cloud = await testCloud({ actionMs: 60_000 });
		const { body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			services: [{ protocol: "tcp", listen_port: 80, destination_port: 80 }],
			targets: [
				{ type: "ip", ip: { ip: "192.0.2.1" } },
				{ type: "ip", ip: { ip: "2001:db8::1" } },
			],
		});
		const { id } = body.load_balancer;
		const edit = async (edit: object) =>
			(await cloud.own("POST", "/edits", { id, edit })).body.balancer;
		expect(
			(await edit({ do: "remove_target", key: "ip:2001:db8::1" })).targets,
		).toHaveLength(1);
		expect(await edit({ do: "delete_service", port: 80 })).toMatchObject({
			listeners: [],
		});
		expect(
			await edit({ do: "update", name: "renamed", labels: {} }),
		).toMatchObject({ name: "renamed" });
		expect(
			await edit({ do: "change_algorithm", algorithm: "least_connections" }),
		).toMatchObject({ algorithm: "least_connections" });
		expect(await edit({ do: "delete" })).toBeNull();
		expect(
			(await cloud.own("POST", "/edits", { id, edit: { do: "delete" } }))
				.status,
		).toBe(404);
	});

	test("of a name that is taken is refused", async () => {
		const cloud = await testCloud();
		await cloud.ask("POST", "/load_balancers", minimal);
		const { body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			name: "b",
		});
		expect(
			(
				await cloud.own("POST", "/edits", {
					id: body.load_balancer.id,
					edit: { do: "update", name: "lb" },
				})
			).status,
		).toBe(409);
	});
});
