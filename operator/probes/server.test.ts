import { Counter, Registry } from "prom-client";
import { type ProbeServer, startProbeServer } from "./server.ts";

describe("the probe server", () => {
	const metrics = new Registry();
	new Counter({
		name: "turns_total",
		help: "Turns.",
		registers: [metrics],
	}).inc();
	let reasons: string[] = [];
	let server: ProbeServer;
	const get = async (path: string) => {
		const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
		return { status: answer.status, text: await answer.text() };
	};

	beforeAll(async () => {
		server = await startProbeServer({
			host: "127.0.0.1",
			port: 0,
			metrics,
			notReady: () => reasons,
		});
	});
	afterAll(() => server.close());

	it("is ready when there is no reason not to be", async () => {
		expect(await get("/readyz")).toEqual({ status: 200, text: "ok\n" });
	});

	it("says every reason why it is not ready, one a line, while it stays live", async () => {
		reasons = ["services: connection refused", "nodes: not listed yet"];
		expect(await get("/readyz")).toEqual({
			status: 503,
			text: "services: connection refused\nnodes: not listed yet\n",
		});
		expect((await get("/livez")).status).toBe(200);
	});

	it("serves metrics in the Prometheus text format", async () => {
		expect((await get("/metrics")).text).toContain("turns_total 1");
	});

	it("says what it has not, and takes nothing but GET and HEAD", async () => {
		expect(await get("/toString")).toEqual({
			status: 404,
			text: "there is no /toString\n",
		});
		const url = `http://127.0.0.1:${server.port}/livez`;
		expect((await fetch(url, { method: "POST" })).status).toBe(405);
		const head = await fetch(url, { method: "HEAD" });
		expect([head.status, await head.text()]).toEqual([200, ""]);
	});

	it("names the address when the port is taken", async () => {
		await expect(
			startProbeServer({
				host: "127.0.0.1",
				port: server.port,
				metrics,
				notReady: () => [],
			}),
		).rejects.toMatchObject({
			code: "ListenFailed",
			message: `cannot listen on 127.0.0.1:${server.port}: the port is taken`,
		});
	});
});
