import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import { FairleadError } from "../../errors.ts";
import { listen } from "../../probes/listen.ts";
import type { AgentIncident } from "../rules/incidents.ts";
import { ServiceHealth } from "./service-health.ts";

/** Ports as Services name them, and where they really are: any free one of loopback. */
let really: Map<number, number>;
let opened: (port: number) => Promise<number>;
let healthy: boolean;
let taken: Set<number>;
let incidents: AgentIncident[];
let clock: FakeClock;
let health: ServiceHealth;

beforeEach(() => {
	really = new Map();
	healthy = true;
	taken = new Set();
	incidents = [];
	clock = new FakeClock();
	const waiting = new Map<number, (real: number) => void>();
	opened = (port) =>
		new Promise((resolve) => {
			const real = really.get(port);
			if (real === undefined) waiting.set(port, resolve);
			else resolve(real);
		});
	health = new ServiceHealth({
		listen: async (server: Server, _, port) => {
			if (taken.has(port))
				throw new FairleadError("ListenFailed", "the port is taken");
			await listen(server, "127.0.0.1", 0);
			const real = (server.address() as AddressInfo).port;
			really.set(port, real);
			waiting.get(port)?.(real);
		},
		address: "127.0.0.1",
		isHealthy: () => healthy,
		node: "node-1",
		clock,
		log: quietLog(),
		tell: (incident) => incidents.push(incident),
	});
});

afterEach(() => health.close());

const sync = (checks: Record<string, [port: number, endpoints: number]>) =>
	health.sync(
		new Map(
			Object.entries(checks).map(([service, [port, localEndpoints]]) => [
				service,
				{ port, localEndpoints },
			]),
		),
	);

async function ask(port: number, path = "/") {
	const answer = await fetch(`http://127.0.0.1:${await opened(port)}${path}`, {
		headers: { connection: "close" },
	});
	const weight = answer.headers.get("x-load-balancing-endpoint-weight");
	return { status: answer.status, weight, text: await answer.text() };
}

describe("a healthCheckNodePort", () => {
	it("answers 200 with kube-proxy's body while pods of the Service are ready here, whatever the path", async () => {
		sync({ "default/web": [32000, 2] });
		expect(await ask(32000, "/any/path")).toEqual({
			status: 200,
			weight: "2",
			text: '{\n\t"service": {\n\t\t"namespace": "default",\n\t\t"name": "web"\n\t},\n\t"localEndpoints": 2,\n\t"serviceProxyHealthy": true\n}',
		});
	});

	it("answers 503 without any, and follows as they come", async () => {
		sync({ "default/web": [32000, 0] });
		expect(await ask(32000)).toMatchObject({ status: 503, weight: "0" });
		sync({ "default/web": [32000, 1] });
		expect(await ask(32000)).toMatchObject({ status: 200, weight: "1" });
	});

	it("answers 503 while the node's rules are not as they should be", async () => {
		sync({ "default/web": [32000, 1] });
		healthy = false;
		const { status, text } = await ask(32000);
		expect(status).toBe(503);
		expect(text).toContain('"serviceProxyHealthy": false');
	});

	it("is closed when its Service goes or names another", async () => {
		sync({ "default/web": [32000, 1], "default/other": [32001, 1] });
		await Promise.all([ask(32000), ask(32001)]);
		sync({ "default/other": [32002, 1] });
		expect(await ask(32002)).toMatchObject({ status: 200 });
		await expect(ask(32000)).rejects.toThrow("fetch failed");
		await expect(ask(32001)).rejects.toThrow("fetch failed");
	});

	it("that is taken is told once, and opened as soon as it is free", async () => {
		taken.add(32000);
		sync({ "default/web": [32000, 1] });
		await clock.advance(5_000);
		expect(incidents).toEqual([
			{
				reason: "FailedToStartServiceHealthcheck",
				note: "node node-1 cannot serve the health check of default/web on port 32000: the port is taken",
				service: "default/web",
			},
		]);
		taken.clear();
		await clock.advance(1_000);
		expect(await ask(32000)).toMatchObject({ status: 200 });
	});
});
