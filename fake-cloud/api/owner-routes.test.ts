import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { FakeClock } from "../../test/support/fake-clock.ts";
import {
	closeClouds,
	type TestCloud,
	testCloud,
} from "../../test/support/fake-cloud.ts";
import type { Fault } from "./live.ts";

afterEach(closeClouds);

const minimal = { name: "lb", load_balancer_type: "lb11", location: "fsn1" };

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

/** Reads server-sent events one by one. */
class Stream {
	#response: IncomingMessage | undefined;
	#text = "";
	#events: { id: string; event: string; data: Record<string, unknown> }[] = [];
	#wake = () => {};

	async open(cloud: TestCloud, lastEventId?: string): Promise<this> {
		const request = get(`${cloud.url}/fairlead/events`, {
			headers:
				lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId },
		});
		[this.#response] = (await once(request, "response")) as [IncomingMessage];
		expect(this.#response.headers["content-type"]).toBe("text/event-stream");
		this.#response.setEncoding("utf8").on("error", () => {});
		this.#response.on("data", (chunk: string) => {
			this.#text += chunk;
			const blocks = this.#text.split("\n\n");
			this.#text = blocks.pop() as string;
			for (const block of blocks) {
				if (block.startsWith(":")) continue;
				const field = (name: string) =>
					new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
				this.#events.push({
					id: field("id"),
					event: field("event"),
					data: JSON.parse(field("data")),
				});
			}
			this.#wake();
		});
		return this;
	}

	async next(event: string) {
		for (;;) {
			const at = this.#events.findIndex((each) => each.event === event);
			if (at >= 0)
				return this.#events.splice(0, at + 1)[at] as {
					id: string;
					event: string;
					data: Record<string, unknown>;
				};
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}

	close(): void {
		this.#response?.destroy();
	}
}

describe("the event stream", () => {
	test("tells of balancers, actions, servers and faults as they change", async () => {
		const cloud = await testCloud();
		const stream = await new Stream().open(cloud);
		const { body } = await cloud.ask("POST", "/load_balancers", minimal);
		const { id } = body.load_balancer;
		expect((await stream.next("action")).data).toMatchObject({
			command: "create_load_balancer",
			status: "running",
		});
		expect((await stream.next("balancer")).data).toMatchObject({
			id,
			name: "lb",
			lockedBy: body.action.id,
		});
		expect((await stream.next("action")).data).toMatchObject({
			status: "success",
		});
		expect((await stream.next("balancer")).data).toMatchObject({
			id,
			lockedBy: null,
		});
		await order(cloud, { id: "f", effect: { kind: "rate-limit" } });
		expect((await stream.next("faults")).data).toMatchObject([
			{ id: "f", hits: 0 },
		]);
		await cloud.own("DELETE", "/faults");
		await cloud.act("DELETE", `/load_balancers/${id}`);
		expect((await stream.next("balancer-removed")).data).toEqual({ id });
		stream.close();
	});

	test("goes on where it was cut off", async () => {
		const cloud = await testCloud();
		const first = await new Stream().open(cloud);
		await cloud.ask("POST", "/load_balancers", minimal);
		const { id: lastId } = await first.next("balancer");
		first.close();
		await cloud.ask("POST", "/load_balancers", { ...minimal, name: "b" });
		const second = await new Stream().open(cloud, lastId);
		let seen: unknown;
		while (seen !== "b") seen = (await second.next("balancer")).data["name"];
		second.close();
	});

	test("starts anew with a reset after a restart", async () => {
		const cloud = await testCloud();
		const stream = await new Stream().open(cloud, "before-7");
		const { data } = await stream.next("reset");
		expect(data["lastEventId"]).toBe(cloud.state().lastEventId);
		stream.close();
	});

	test("and the state together miss nothing", async () => {
		const cloud = await testCloud();
		const { body } = await cloud.own("GET", "/state");
		await cloud.ask("POST", "/load_balancers", minimal);
		const stream = await new Stream().open(cloud, body.lastEventId);
		// Nobody followed: what happened since the state was read is no longer known.
		const { data } = await stream.next("reset");
		expect((await cloud.own("GET", "/state")).body.balancers).toHaveLength(1);
		expect(data["reason"]).toBe("the events since are no longer kept");
		stream.close();
	});

	test("ends when the cloud is closed", async () => {
		const cloud = await testCloud();
		const response = await fetch(`${cloud.url}/fairlead/events`);
		const ended = response.text();
		await cloud.close();
		expect(await ended).toContain(": follow");
	});
});

test.each(["/livez", "/readyz", "/metrics", "/"])(
	"GET %s answers without a token",
	async (path) => {
		const cloud = await testCloud();
		const response = await fetch(`${cloud.url}${path}`);
		expect([response.status, (await response.text()).length > 0]).toEqual([
			200,
			true,
		]);
	},
);

test("requests are counted by route and status", async () => {
	const cloud = await testCloud();
	await cloud.ask("GET", "/load_balancers/1");
	const metrics = await (await fetch(`${cloud.url}/metrics`)).text();
	expect(metrics).toContain(
		'fairlead_cloud_requests_total{method="GET",route="/load_balancers/:id",status="404"} 1',
	);
});
