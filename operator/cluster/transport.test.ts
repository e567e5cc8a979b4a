import net from "node:net";
import { ApiServerDouble } from "../../test/support/api-server-double.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { Service } from "../api/core.ts";
import { type KubeClient, type Patch, resources } from "./kube.ts";

const api = new ApiServerDouble();
afterEach(() => api.end());

const web: Service = {
	metadata: { namespace: "shop", name: "web" },
	spec: { type: "LoadBalancer" },
};
const ref = { namespace: "shop", name: "web" };

/** Answers the nth request of each connection as `play` says; raw, to break it at any byte. */
async function raw(
	play: (
		socket: net.Socket,
		request: { connection: number; nth: number; text: string },
	) => void,
): Promise<{ port: number; requests: string[] }> {
	const requests: string[] = [];
	let connections = 0;
	const port = await api.loopback.listen(
		net.createServer((socket) => {
			const connection = ++connections;
			let nth = 0;
			socket.on("data", (data) => {
				const text = data.toString();
				requests.push(text.split("\r\n")[0] ?? "");
				play(socket, { connection, nth: ++nth, text });
			});
		}),
	);
	return { port, requests };
}
const good = (body: string = JSON.stringify(web)) =>
	`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test("nobody listening is KubeUnreachable and says where", async () => {
	const port = await api.loopback.listen(net.createServer());
	await api.loopback.closeAll();
	await expect(
		api.client(port).get(resources.services, ref),
	).rejects.toMatchObject({
		code: "KubeUnreachable",
		message: `GET /api/v1/namespaces/shop/services/web: no answer from http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
	});
});

test("a reset before the answer on a new connection is KubeUnreachable, not tried again", async () => {
	const { port, requests } = await raw((socket) => socket.resetAndDestroy());
	await expect(
		api.client(port).get(resources.services, ref),
	).rejects.toMatchObject({ code: "KubeUnreachable" });
	expect(requests).toHaveLength(1);
});

/** The first connection answers once and is reset by the second request; every other one answers. */
const staleConnection = () =>
	raw((socket, { connection, nth }) =>
		connection === 1 && nth === 2
			? socket.resetAndDestroy()
			: socket.write(good()),
	);

test("a GET on a kept connection that turns out dead is sent once more on a new one", async () => {
	const { port, requests } = await staleConnection();
	const client = api.client(port);
	await client.get(resources.services, ref);
	expect(await client.get(resources.services, ref)).toEqual(web);
	expect(requests).toHaveLength(3);
});

test("a GET is sent again only once", async () => {
	const { port, requests } = await raw((socket, { connection, nth }) =>
		connection === 1 && nth === 1
			? socket.write(good())
			: socket.resetAndDestroy(),
	);
	const client = api.client(port);
	await client.get(resources.services, ref);
	await expect(client.get(resources.services, ref)).rejects.toMatchObject({
		code: "KubeUnreachable",
	});
	expect(requests).toHaveLength(3);
});

const writes: [string, (client: KubeClient) => Promise<unknown>][] = [
	["create", (c) => c.create(resources.services, web)],
	["replace", (c) => c.replace(resources.services, web)],
	[
		"patch",
		(c) =>
			c.patch(resources.services, ref, {
				type: "merge",
				body: {},
			} satisfies Patch),
	],
	["delete", (c) => c.delete(resources.services, ref)],
];
test.each(writes)(
	"a %s on a kept connection that turns out dead is not repeated: it may have been done",
	async (_, write) => {
		const { port, requests } = await staleConnection();
		const client = api.client(port);
		await client.get(resources.services, ref);
		await expect(write(client)).rejects.toMatchObject({
			code: "KubeUnreachable",
		});
		expect(requests).toHaveLength(2);
	},
);

const breaks: [string, (socket: net.Socket) => void][] = [
	[
		"reset in the middle of the body",
		(socket) =>
			socket.write(good().slice(0, -10), () => socket.resetAndDestroy()),
	],
	[
		"closed in the middle of the body",
		(socket) => socket.end(good().slice(0, -10)),
	],
	[
		"closed in the middle of the head",
		(socket) => socket.end("HTTP/1.1 200 OK\r\nContent-"),
	],
	["closed without a word", (socket) => socket.end()],
	[
		"closed in the middle of a chunk",
		(socket) =>
			socket.end(
				'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"metadata":',
			),
	],
];
test.each(breaks)("an answer %s is KubeUnreachable", async (_, play) => {
	const { port, requests } = await raw(play);
	await expect(
		api.client(port).get(resources.services, ref),
	).rejects.toMatchObject({ code: "KubeUnreachable" });
	expect(requests).toHaveLength(1);
});

const slow: [string, (socket: net.Socket) => void][] = [
	["that never comes", () => {}],
	[
		"whose head drips in",
		(socket) => socket.write("HTTP/1.1 200 OK\r\nContent-"),
	],
	["whose body drips in", (socket) => socket.write(good().slice(0, -10))],
];
test.each(slow)(
	"an answer %s is KubeUnreachable after the timeout, and its connection is not used again",
	async (_, play) => {
		const clock = new FakeClock();
		let arrived = () => {};
		const asked = new Promise<void>((resolve) => (arrived = resolve));
		const { port, requests } = await raw((socket, { connection }) => {
			if (connection === 1) play(socket);
			else socket.write(good());
			arrived();
		});
		const client = api.client(port, {}, { clock });
		const call = client.get(resources.services, ref, { timeoutMs: 5_000 });
		const outcome = expect(call).rejects.toMatchObject({
			code: "KubeUnreachable",
			message: expect.stringMatching(
				/no complete answer from .* within 5 s/,
			) as string,
		});
		await asked;
		await clock.advance(5_000);
		await outcome;
		expect(await client.get(resources.services, ref)).toEqual(web);
		expect(requests).toHaveLength(2);
		expect(clock.waiting()).toEqual([]);
	},
);

test("a call that waits for a free connection times out too, and is never sent", async () => {
	const clock = new FakeClock();
	let arrived = () => {};
	const asked = new Promise<void>((resolve) => (arrived = resolve));
	const { port, requests } = await raw(() => arrived());
	const client = api.client(port, {}, { clock, maxSockets: 1 });
	const first = client
		.get(resources.services, ref, { timeoutMs: 60_000 })
		.catch((error: unknown) => error);
	await asked;
	const second = client.create(resources.services, web, { timeoutMs: 1_000 });
	const outcome = expect(second).rejects.toMatchObject({
		code: "KubeUnreachable",
	});
	await clock.advance(1_000);
	await outcome;
	client.close();
	expect(await first).toMatchObject({
		code: "KubeUnreachable",
		message: expect.stringContaining("closed") as string,
	});
	expect(requests).toHaveLength(1);
});

test("an abort ends the call at once with the signal's reason and closes its connection", async () => {
	const stop = new AbortController();
	let gone = () => {};
	const closed = new Promise<void>((resolve) => (gone = resolve));
	const { port } = await raw((socket) => {
		socket.on("close", gone);
		stop.abort(new Error("not needed any more"));
	});
	await expect(
		api.client(port).get(resources.services, ref, { signal: stop.signal }),
	).rejects.toThrow("not needed any more");
	await closed;
});

test("a signal that is aborted already sends nothing", async () => {
	const { port, requests } = await raw(() => {});
	await expect(
		api.client(port).get(resources.services, ref, {
			signal: AbortSignal.abort(new Error("too late")),
		}),
	).rejects.toThrow("too late");
	expect(requests).toEqual([]);
});

test("a closed client makes no calls", async () => {
	const { port, requests } = await raw((socket) => socket.write(good()));
	const client = api.client(port);
	client.close();
	await expect(client.get(resources.services, ref)).rejects.toMatchObject({
		code: "KubeUnreachable",
	});
	await expect(
		client.watch(
			resources.services,
			{},
			{ signal: new AbortController().signal },
		),
	).rejects.toMatchObject({ code: "KubeUnreachable" });
	expect(requests).toEqual([]);
});
