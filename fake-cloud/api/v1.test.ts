import {
	minimal,
	tcp,
	withBalancer,
} from "../../test/support/cloud-samples.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { closeClouds, testCloud } from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

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

test("what this cloud has that Hetzner's has not is advertised", async () => {
	const cloud = await testCloud();
	expect(
		(await cloud.ask("GET", "/fairlead/capabilities")).body.capabilities,
	).toMatchObject({
		protocols: ["tcp", "udp"],
		source_ranges: true,
		affinity: true,
		batch_targets: true,
	});
});
