import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { systemClock } from "../../../operator/clock.ts";
import { makeCertificate } from "../../../test/support/certificate.ts";
import {
	balancer,
	closeEngines,
	engine,
	numbered,
	say,
	service,
	target,
} from "../../../test/support/engine.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { Service } from "../../store/records.ts";
import { networkProbe, type ProbeResult } from "./probe.ts";

afterEach(closeEngines);

describe("health", () => {
	test("a target that fails its checks gets nothing until it is well again", async () => {
		const { port } = await numbered(2);
		const clock = new FakeClock();
		const ill = new Set<string>();
		let changes = 0;
		const failure: ProbeResult = {
			detail: "layer4_timeout",
			message: "no answer",
			httpStatus: null,
		};
		const cloud = engine({
			clock,
			probe: async (address) => (ill.has(address) ? failure : undefined),
			changed: () => changes++,
		});
		cloud.set(balancer([service(port)], ["127.0.0.1", "127.0.0.2"]));
		await clock.advance(0);
		ill.add("127.0.0.1");
		await clock.advance(15_000);
		expect(cloud.report(1)?.targets[0]?.health[0]?.status).toBe("healthy");
		await clock.advance(15_000);
		expect(cloud.report(1)?.targets[0]?.health[0]).toMatchObject({
			port: 80,
			status: "unhealthy",
			detail: "layer4_timeout",
		});
		expect(
			[await say(cloud), await say(cloud), await say(cloud)].join(""),
		).toBe("222");
		ill.clear();
		await clock.advance(30_000);
		expect([await say(cloud), await say(cloud)].toSorted().join("")).toBe("12");
		expect(changes).toBe(4);
	});

	test("is checked over the network, as TCP and as HTTP", async () => {
		const { port } = await target("127.0.0.1", 0, (socket) => {
			socket.once("data", (request) => {
				const well =
					String(request).startsWith("GET /healthz HTTP/1.1") &&
					/^Host: example\.org\r$/m.test(String(request));
				socket.end(
					`HTTP/1.1 ${well ? "204 No Content" : "500 Oops"}\r\nConnection: close\r\n\r\n`,
				);
			});
		});
		const results: Record<string, unknown> = {};
		const probe = networkProbe(systemClock);
		const http = (path: string, more = {}) => ({
			...service(port).health_check,
			protocol: "http" as const,
			http: {
				domain: "example.org",
				path,
				response: "",
				status_codes: ["2??"],
				tls: false,
				...more,
			},
		});
		const signal = new AbortController().signal;
		const ask = async (
			name: string,
			address: string,
			check: Service["health_check"],
		) => {
			results[name] = (await probe(address, check, signal))?.detail ?? "well";
		};
		await ask("tcp", "127.0.0.1", service(port).health_check);
		await ask("tcp, nobody there", "127.0.0.9", service(port).health_check);
		await ask("http", "127.0.0.1", http("/healthz"));
		await ask("http, 500", "127.0.0.1", http("/other"));
		await ask(
			"http, 500 allowed",
			"127.0.0.1",
			http("/other", { status_codes: ["200", "5?0"] }),
		);
		await ask(
			"http, text missing",
			"127.0.0.1",
			http("/healthz", { response: "fine" }),
		);
		await ask("http, nobody there", "127.0.0.9", http("/healthz"));
		const silent = await target("127.0.0.2", 0, () => {});
		await ask("http, silent", "127.0.0.2", { ...http("/"), port: silent.port });
		expect(results).toEqual({
			tcp: "well",
			"tcp, nobody there": "layer4_no_connection",
			http: "well",
			"http, 500": "unexpected_http_status",
			"http, 500 allowed": "well",
			"http, text missing": "unexpected_http_content",
			"http, nobody there": "layer4_no_connection",
			"http, silent": "layer7_timeout",
		});
	});

	test("is checked over TLS whoever its certificate is for", async () => {
		const { certificate, key } = makeCertificate("somebody.example");
		const hosts: unknown[] = [];
		const server = createServer(
			{ cert: certificate, key },
			(request, answer) => {
				hosts.push(request.headers.host);
				answer.end("fine");
			},
		).listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		const probe = networkProbe(systemClock);
		const ask = (address: string, at: number) =>
			probe(
				address,
				{
					...service(at).health_check,
					protocol: "http",
					http: {
						domain: "",
						path: "/",
						response: "fine",
						status_codes: ["200"],
						tls: true,
					},
				},
				new AbortController().signal,
			);
		expect(await ask("127.0.0.1", port)).toBeUndefined();
		expect(hosts).toEqual([`127.0.0.1:${port}`]);
		expect(await ask("127.0.0.9", port)).toMatchObject({
			detail: "layer4_no_connection",
			message: expect.stringContaining("ECONNREFUSED"),
		});
		const silent = await target("127.0.0.2", 0, () => {});
		expect(await ask("127.0.0.2", silent.port)).toMatchObject({
			detail: "layer7_timeout",
		});
		server.close();
		server.closeAllConnections();
	});
});
