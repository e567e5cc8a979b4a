import http from "node:http";
import https from "node:https";
import net from "node:net";
import {
	ApiServerDouble,
	reply,
} from "../../test/support/api-server-double.ts";
import { makeCertificate } from "../../test/support/certificate.ts";
import { plainConnection } from "../../test/support/connection.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { systemClock } from "../clock.ts";
import { createKubeClient } from "./client.ts";
import type { Connection } from "./connection.ts";
import { type KubeClient, resources } from "./kube.ts";

const api = new ApiServerDouble();
const clients: KubeClient[] = [];
afterEach(async () => {
	for (const client of clients.splice(0)) client.close();
	await api.end();
});

const authority = makeCertificate("cluster authority");
const other = makeCertificate("another authority");
const serving = makeCertificate("kube-apiserver", {
	issuer: authority,
	hosts: ["127.0.0.1", "kubernetes.default.svc"],
});
const elsewhere = makeCertificate("kube-apiserver", {
	issuer: authority,
	hosts: ["kubernetes.default.svc"],
});
const ann = makeCertificate("ann", { issuer: authority });
const eve = makeCertificate("eve", { issuer: other });

/** Answers every get with an object named like the client certificate's subject. */
function secure(
	server: { certificate: string; key: string },
	more: https.ServerOptions = {},
): Promise<number> {
	return api.loopback.listen(
		https.createServer(
			{ cert: server.certificate, key: server.key, ...more },
			(request, response) => {
				const { subject } = (
					request.socket as import("node:tls").TLSSocket
				).getPeerCertificate();
				reply(response, { metadata: { name: subject?.CN ?? "nobody" } });
			},
		),
	);
}

function connect(port: number, more: Partial<Connection>): KubeClient {
	const client = createKubeClient(
		plainConnection(`https://127.0.0.1:${port}`, more),
		{ clock: systemClock, log: quietLog(), userAgent: "fairlead-test/0" },
	);
	clients.push(client);
	return client;
}
const nameSeen = async (client: KubeClient) =>
	(await client.get(resources.nodes, { name: "n" })).metadata.name;
const ca = authority.certificate;
const as = ({ certificate, key }: typeof ann): Partial<Connection> => ({
	credentials: () => Promise.resolve({ certificate, key }),
});

test("a server whose certificate the given authority signed is trusted", async () => {
	expect(await nameSeen(connect(await secure(serving), { ca }))).toBe("nobody");
});

const distrusted: [string, typeof serving, Partial<Connection>][] = [
	["signed by another authority", serving, { ca: other.certificate }],
	["signed by an authority the system does not know", serving, {}],
	["for another name", elsewhere, { ca }],
];
test.each(distrusted)(
	"a server with a certificate %s is KubeUnreachable and says what to check",
	async (_, certificate, more) => {
		await expect(
			nameSeen(connect(await secure(certificate), more)),
		).rejects.toMatchObject({
			code: "KubeUnreachable",
			message: expect.stringMatching(
				/is not trusted: .*check certificate-authority and tls-server-name/,
			) as string,
		});
	},
);

test("tls-server-name is the name the certificate must have", async () => {
	expect(
		await nameSeen(
			connect(await secure(elsewhere), {
				ca,
				tlsServerName: "kubernetes.default.svc",
			}),
		),
	).toBe("nobody");
});

test("insecure-skip-tls-verify takes any certificate", async () => {
	expect(
		await nameSeen(
			connect(await secure(elsewhere), { insecureSkipTlsVerify: true }),
		),
	).toBe("nobody");
});

test("the client certificate proves who we are, and a new one is used as soon as it is known", async () => {
	const port = await secure(serving, {
		ca: [ca, other.certificate],
		requestCert: true,
	});
	let now = ann;
	const client = connect(port, {
		ca,
		credentials: () =>
			Promise.resolve({ certificate: now.certificate, key: now.key }),
	});
	expect(await nameSeen(client)).toBe("ann");
	now = eve;
	expect(await nameSeen(client)).toBe("eve");
});

test("a server that insists on a client certificate and gets none is KubeUnauthorized", async () => {
	const port = await secure(serving, {
		ca,
		requestCert: true,
		rejectUnauthorized: true,
	});
	await expect(nameSeen(connect(port, { ca }))).rejects.toMatchObject({
		code: "KubeUnauthorized",
	});
});

test("a server that speaks plain HTTP where TLS is expected is KubeBadAnswer", async () => {
	const { port } = await api.start((_request, response) => reply(response, {}));
	await expect(nameSeen(connect(port, { ca }))).rejects.toMatchObject({
		code: "KubeBadAnswer",
	});
});

test("proxy-url is asked to CONNECT to the server, and TLS runs through it end to end", async () => {
	const target = await secure(serving, { ca, requestCert: true });
	const asked: (string | undefined)[] = [];
	const proxy = http.createServer();
	proxy.on("connect", (request, client: net.Socket) => {
		asked.push(request.url);
		const server = net.connect(target, "127.0.0.1", () => {
			client.write("HTTP/1.1 200 Connection established\r\n\r\n");
			server.pipe(client).pipe(server);
		});
		server.on("error", () => client.destroy());
	});
	const proxyUrl = new URL(
		`http://127.0.0.1:${await api.loopback.listen(proxy)}`,
	);
	expect(await nameSeen(connect(target, { ca, proxyUrl, ...as(ann) }))).toBe(
		"ann",
	);
	expect(asked).toEqual([`127.0.0.1:${target}`]);
});

test("a proxy that refuses is KubeUnreachable", async () => {
	const proxy = http.createServer();
	proxy.on("connect", (_request, client: net.Socket) =>
		client.end("HTTP/1.1 403 Forbidden\r\n\r\n"),
	);
	const proxyUrl = new URL(
		`http://127.0.0.1:${await api.loopback.listen(proxy)}`,
	);
	await expect(
		nameSeen(connect(await secure(serving), { ca, proxyUrl })),
	).rejects.toMatchObject({ code: "KubeUnreachable" });
});
