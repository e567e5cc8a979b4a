import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import {
	type AddressInfo,
	connect,
	createServer as createTcpServer,
	type Server as TcpServer,
} from "node:net";
import type { Container, Probe } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { makeCertificate } from "../../test/support/certificate.ts";
import { type Look, look, type ProbeTarget } from "./probe-look.ts";

/** What the pod's port 8080 is at present. */
let port: number;
let served: TcpServer | Server | undefined;
const container: Container = {
	name: "main",
	ports: [{ name: "http", containerPort: 8080 }],
};
let dialled: { host: string; port: number }[];

beforeEach(() => {
	dialled = [];
	port = 1;
});
afterEach(async () => {
	const server = served;
	served = undefined;
	await new Promise<void>((resolve) => {
		if (!server) return resolve();
		server.close(() => resolve());
		if ("closeAllConnections" in server) server.closeAllConnections();
	});
});

async function serve(server: TcpServer | Server): Promise<void> {
	served = server;
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	port = (server.address() as AddressInfo).port;
}
const target = (more: Partial<ProbeTarget> = {}): ProbeTarget => ({
	container,
	podIP: "10.244.1.2",
	connect: (to) => {
		dialled.push(to);
		return connect({ host: "127.0.0.1", port });
	},
	exec: () => Promise.reject(new Error("not asked for")),
	clock: systemClock,
	...more,
});
const answering = (code: number, headers: Record<string, string> = {}) =>
	createServer((_request, response) =>
		response.writeHead(code, headers).end("body"),
	);

describe("an httpGet probe", () => {
	const get: Probe = { httpGet: { path: "/healthz", port: "http" } };

	it.each<[number, Look]>([
		[200, { ok: true, message: "" }],
		[204, { ok: true, message: "" }],
		[302, { ok: true, message: "" }],
		[399, { ok: true, message: "" }],
		[404, { ok: false, message: "HTTP probe failed with statuscode: 404" }],
		[503, { ok: false, message: "HTTP probe failed with statuscode: 503" }],
	])("that is answered with %d", async (code, result) => {
		await serve(answering(code));
		expect(await look(get, target())).toEqual(result);
		expect(dialled).toEqual([{ host: "10.244.1.2", port: 8080 }]);
	});

	it("asks as a kubelet does, with the headers it was given", async () => {
		const seen = new Promise<unknown>((resolve) => {
			void serve(
				createServer(({ url, headers }, response) => {
					resolve({
						url,
						agent: headers["user-agent"],
						host: headers.host,
						mine: headers["x-mine"],
					});
					response.end();
				}),
			);
		});
		await new Promise<void>((resolve) => served?.once("listening", resolve));
		await look(
			{
				httpGet: {
					path: "ready?x=1",
					port: 8080,
					httpHeaders: [{ name: "X-Mine", value: "yes" }],
				},
			},
			target(),
		);
		expect(await seen).toEqual({
			url: "/ready?x=1",
			agent: "kube-probe/1.37",
			host: "10.244.1.2:8080",
			mine: "yes",
		});
	});

	it("takes any certificate", async () => {
		const { key, certificate: cert } = makeCertificate("elsewhere");
		await serve(
			createSecureServer({ key, cert }, (_request, response) => response.end()),
		);
		expect(
			await look({ httpGet: { port: 8080, scheme: "HTTPS" } }, target()),
		).toEqual({ ok: true, message: "" });
	});

	it("that nobody answers says so in the kubelet's words", async () => {
		expect(await look(get, target())).toEqual({
			ok: false,
			message:
				'Get "http://10.244.1.2:8080/healthz": dial tcp 10.244.1.2:8080: connect: connection refused',
		});
	});

	it("that is hung up on", async () => {
		await serve(createTcpServer((socket) => socket.resetAndDestroy()));
		expect(await look(get, target())).toEqual({
			ok: false,
			message: 'Get "http://10.244.1.2:8080/healthz": EOF',
		});
	});

	it("that is not answered in time", async () => {
		await serve(
			createTcpServer((socket) => void socket.on("error", () => {}).resume()),
		);
		expect(await look({ ...get, timeoutSeconds: 0.05 }, target())).toEqual({
			ok: false,
			message:
				'Get "http://10.244.1.2:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
		});
	});

	it("of a port that has no such name cannot look", async () => {
		expect(await look({ httpGet: { port: "web" } }, target())).toEqual({
			problem: "couldn't find port: web",
		});
	});
});

describe("a tcpSocket probe", () => {
	const probe: Probe = { tcpSocket: { port: 8080 } };
	it("is content with a connection", async () => {
		await serve(
			createTcpServer((socket) => void socket.on("error", () => {}).resume()),
		);
		expect(await look(probe, target())).toEqual({ ok: true, message: "" });
	});

	it("fails without one", async () => {
		expect(await look(probe, target())).toEqual({
			ok: false,
			message: "dial tcp 10.244.1.2:8080: connect: connection refused",
		});
	});
});

describe("an exec probe", () => {
	const probe: Probe = { exec: { command: ["cat", "/tmp/x"] } };
	it.each([
		[0, true],
		[1, false],
	])("that ends with %d", async (exitCode, ok) => {
		const exec = () => Promise.resolve({ exitCode, output: "said" });
		expect(await look(probe, target({ exec }))).toEqual({
			ok,
			message: "said",
		});
	});

	it("that does not end in time", async () => {
		const exec: ProbeTarget["exec"] = (_command, signal) =>
			new Promise((resolve) => {
				signal.addEventListener("abort", () =>
					resolve({ exitCode: 137, output: "" }),
				);
			});
		expect(
			await look({ ...probe, timeoutSeconds: 0.05 }, target({ exec })),
		).toEqual({
			ok: false,
			message: 'command timed out: "cat /tmp/x" timed out after 0.05s',
		});
	});

	it("that cannot be started cannot look", async () => {
		const exec = () => Promise.resolve({ problem: "no such file" });
		expect(await look(probe, target({ exec }))).toEqual({
			problem: "no such file",
		});
	});
});

it("a probe of another kind cannot look", async () => {
	expect(await look({ grpc: { port: 1 } } as Probe, target())).toEqual({
		problem:
			"missing probe handler for main: the sandbox knows httpGet, tcpSocket and exec",
	});
});
