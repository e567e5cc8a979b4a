import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { connect as connectTls } from "node:tls";
import { ownNamespace } from "../../operator/kernel/namespaces.ts";
import { listenIn } from "../../operator/kernel/sockets.ts";
import { objectAt, objectsAt } from "./access.ts";
import { startTestServer } from "./test-server.ts";

// Where connections come in: listeners that others opened, further sockets, and the end of them all.

const handOver = `
	const server = require("node:net").createServer();
	server.listen(0, "127.0.0.1", () =>
		process.send("open", server, () => {
			server.close();
			process.disconnect();
		}));`;

test("a listener that another process opened and handed over is answered and closed", async () => {
	const opener = spawn(process.execPath, ["-e", handOver], {
		stdio: ["ignore", "inherit", "inherit", "ipc"],
	});
	const ended = once(opener, "exit");
	const [, listener] = (await once(opener, "message")) as [
		string,
		ReturnType<typeof createServer>,
	];
	const { port } = listener.address() as AddressInfo;
	const api = await startTestServer({ listener });
	expect(api.server.url).toBe(`https://127.0.0.1:${port}`);
	const { code } = await api.call("GET", "/api/v1/namespaces");
	expect(code).toBe(200);
	await api.close();
	await ended;
	expect(listener.listening).toBe(false);
	const again = createServer().listen(port, "127.0.0.1");
	await once(again, "listening");
	again.close();
});

test("a listener that is not open is refused", async () => {
	await expect(
		startTestServer({ listener: createServer() }),
	).rejects.toMatchObject({ code: "ListenFailed" });
});

const onLinux = process.platform === "linux" ? test : test.skip;

onLinux(
	"sockets that listen already are answered like the server's own",
	async () => {
		const free = createServer().listen(0, "127.0.0.1");
		await once(free, "listening");
		const { port } = free.address() as AddressInfo;
		await new Promise((done) => free.close(done));
		const fd = listenIn(ownNamespace, "127.0.0.1", port);
		const api = await startTestServer({ also: [{ fd }] });
		const socket = connectTls({ host: "127.0.0.1", port, ca: api.server.ca });
		socket.write(
			`GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
		);
		const chunks: Buffer[] = [];
		for await (const chunk of socket as AsyncIterable<Buffer>)
			chunks.push(chunk);
		expect(Buffer.concat(chunks).toString()).toMatch(
			/^HTTP\/1.1 200 OK.*\nok\r\n/s,
		);
		await api.close();
	},
);

test("a file descriptor that is no socket is refused, and the port is free again", async () => {
	const probe = createServer().listen(0, "127.0.0.1");
	await once(probe, "listening");
	const { port } = probe.address() as AddressInfo;
	await new Promise((done) => probe.close(done));
	await expect(
		startTestServer({ port, also: [{ fd: 2000 }] }),
	).rejects.toMatchObject({
		code: "ListenFailed",
		message: expect.stringContaining("file descriptor 2000") as string,
	});
	const api = await startTestServer({ port });
	await api.close();
});

test("clients that hold their connections do not hold up the end", async () => {
	const api = await startTestServer();
	const { port } = new URL(api.server.url);
	const idle = connectTls({
		host: "127.0.0.1",
		port: Number(port),
		ca: api.server.ca,
	});
	await once(idle, "secureConnect");
	const watch = await api.watch("/api/v1/services?watch=1");
	await api.close();
	await watch.ended();
});

test("the certificate holds the names and the address that pods call the server by", async () => {
	const api = await startTestServer({
		serviceCidrs: ["10.97.0.0/16"],
		advertise: { address: "192.0.2.7", port: 6443 },
	});
	const { port } = new URL(api.server.url);
	for (const servername of [
		"kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local",
	]) {
		const socket = connectTls({
			host: "127.0.0.1",
			port: Number(port),
			ca: api.server.ca,
			servername,
		});
		await once(socket, "secureConnect");
		expect(socket.getPeerCertificate().subjectaltname).toContain(
			"IP Address:10.97.0.1, IP Address:127.0.0.1, IP Address:192.0.2.7",
		);
		socket.destroy();
	}
	await api.close();
});

test("the Service kubernetes leads where the server is advertised", async () => {
	const api = await startTestServer({
		advertise: { address: "192.0.2.7", port: 7443 },
	});
	const inDefault = (group: string, plural: string) =>
		api.call("GET", `${group}/namespaces/default/${plural}/kubernetes`);
	const service = await inDefault("/api/v1", "services");
	expect(objectsAt(service.body, "spec", "ports")).toMatchObject([
		{ port: 443, targetPort: 7443 },
	]);
	const endpoints = await inDefault("/api/v1", "endpoints");
	expect(endpoints.body["subsets"]).toEqual([
		{
			addresses: [{ ip: "192.0.2.7" }],
			ports: [{ name: "https", port: 7443, protocol: "TCP" }],
		},
	]);
	const slice = await inDefault("/apis/discovery.k8s.io/v1", "endpointslices");
	expect(objectAt(slice.body, "metadata", "labels")).toEqual({
		"kubernetes.io/service-name": "kubernetes",
	});
	expect(slice.body).toMatchObject({
		addressType: "IPv4",
		endpoints: [{ addresses: ["192.0.2.7"], conditions: { ready: true } }],
		ports: [{ name: "https", port: 7443, protocol: "TCP" }],
	});
	await api.close();
});
