import { once } from "node:events";
import type http from "node:http";
import {
	ApiServerDouble,
	reply,
	type Seen,
} from "../../test/support/api-server-double.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { Service } from "../api/core.ts";
import type { ErrorCode } from "../errors.ts";
import { resources, type WatchEvent } from "./kube.ts";

const api = new ApiServerDouble();
afterEach(() => api.end());

const web: Service = {
	metadata: { namespace: "shop", name: "web" },
	spec: { type: "LoadBalancer" },
};
const ref = { namespace: "shop", name: "web" };

const event = (name: string): WatchEvent<Service> => ({
	type: "ADDED",
	object: { metadata: { name }, spec: {} },
});
const line = (name: string) => `${JSON.stringify(event(name))}\n`;

async function watched(
	play: (response: http.ServerResponse, request: Seen) => void,
	signal = new AbortController().signal,
	onBytes?: () => void,
) {
	const { port, seen } = await api.start((request, response) =>
		play(response, request),
	);
	const stream = await api.client(port).watch<Service>(
		resources.services,
		{
			namespace: "shop",
			resourceVersion: "7",
			allowWatchBookmarks: true,
			timeoutSeconds: 300,
		},
		{ signal, ...(onBytes ? { onBytes } : {}) },
	);
	return { stream, seen };
}
async function names(
	stream: AsyncIterable<WatchEvent<Service>[]>,
): Promise<string[]> {
	const all: string[] = [];
	for await (const batch of stream)
		for (const one of batch)
			all.push((one as { object: Service }).object.metadata.name);
	return all;
}

test("events come until the server closes, and bytes are reported", async () => {
	let bytes = 0;
	const { stream, seen } = await watched(
		(response) => {
			response.writeHead(200);
			response.write(line("a"));
			response.end(line("b") + line("c").trimEnd());
		},
		undefined,
		() => bytes++,
	);
	expect(await names(stream)).toEqual(["a", "b", "c"]);
	expect(seen[0]?.url).toBe(
		"/api/v1/namespaces/shop/services?resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=300&watch=true",
	);
	expect(seen[0]?.headers["accept-encoding"]).toBeUndefined();
	expect(bytes).toBeGreaterThan(0);
});

test("it is open as soon as the server answers, before any event", async () => {
	let send = () => {};
	const { stream } = await watched((response) => {
		response.writeHead(200);
		response.flushHeaders();
		send = () => response.end(line("late"));
	});
	send();
	expect(await names(stream)).toEqual(["late"]);
});

test("a connection that breaks is KubeUnreachable, after the events before it", async () => {
	const { stream } = await watched((response) => {
		response.writeHead(200);
		response.write(line("a"), () => response.socket?.resetAndDestroy());
	});
	const got: unknown[] = [];
	const all = (async () => {
		for await (const batch of stream) got.push(...batch);
	})();
	await expect(all).rejects.toMatchObject({
		code: "KubeUnreachable",
		message: expect.stringMatching(
			/^WATCH \/api\/v1\/namespaces\/shop\/services: /,
		) as string,
	});
	expect(got).toEqual([event("a")]);
});

test("a connection that broke before anybody read is KubeUnreachable too", async () => {
	let gone: Promise<unknown> = Promise.resolve();
	const { stream } = await watched((response) => {
		response.writeHead(200);
		response.flushHeaders();
		gone = once(response, "close");
		response.socket?.end();
	});
	await gone;
	await expect(names(stream)).rejects.toMatchObject({
		code: "KubeUnreachable",
	});
});

test("an abort ends the iteration at once and closes the connection", async () => {
	const stop = new AbortController();
	let gone: Promise<unknown> = Promise.resolve();
	const { stream } = await watched((response) => {
		response.writeHead(200);
		response.write(line("a"));
		gone = once(response, "close");
	}, stop.signal);
	const got: unknown[] = [];
	for await (const batch of stream) {
		got.push(...batch);
		stop.abort();
	}
	expect(got).toEqual([event("a")]);
	await gone;
});

test("leaving the loop closes the connection", async () => {
	let gone: Promise<unknown> = Promise.resolve();
	const { stream } = await watched((response) => {
		response.writeHead(200);
		response.write(line("a"));
		gone = once(response, "close");
	});
	for await (const batch of stream) {
		expect(batch).toEqual([event("a")]);
		break;
	}
	await gone;
});

test("closing the client ends its watches", async () => {
	const { port } = await api.start((_request, response) => {
		response.writeHead(200);
		response.flushHeaders();
	});
	const client = api.client(port);
	const stream = await client.watch<Service>(
		resources.services,
		{},
		{ signal: new AbortController().signal },
	);
	client.close();
	expect(await names(stream)).toEqual([]);
});

test("an abort while it is being opened rejects with the signal's reason", async () => {
	const stop = new AbortController();
	await expect(
		watched(() => stop.abort(new Error("shutting down")), stop.signal),
	).rejects.toThrow("shutting down");
});

test("a server that does not answer is given up after 30 s; an open watch may be silent for as long as it likes", async () => {
	const clock = new FakeClock();
	let asked = () => {};
	let send = () => {};
	const { port } = await api.start((_request, response, nth) => {
		if (nth === 2) {
			response.writeHead(200);
			response.flushHeaders();
			send = () => response.end(line("a"));
		}
		asked();
	});
	const client = api.client(port, {}, { clock });
	const arrived = new Promise<void>((resolve) => (asked = resolve));
	const silent = expect(
		client.watch(
			resources.services,
			{},
			{ signal: new AbortController().signal },
		),
	).rejects.toMatchObject({ code: "KubeUnreachable" });
	await arrived;
	await clock.advance(30_000);
	await silent;
	const stream = await client.watch<Service>(
		resources.services,
		{},
		{ signal: new AbortController().signal },
	);
	await clock.advance(3_600_000);
	send();
	expect(await names(stream)).toEqual(["a"]);
});

test("watches take no connection from calls", async () => {
	const { port } = await api.start((request, response) => {
		if (request.url?.includes("watch=true")) {
			response.writeHead(200);
			response.flushHeaders();
		} else reply(response, web);
	});
	const client = api.client(port, {}, { maxSockets: 1 });
	const signal = new AbortController().signal;
	for (let n = 0; n < 3; n++)
		await client.watch(resources.services, {}, { signal });
	expect(await client.get(resources.services, ref)).toEqual(web);
});

const refusals: [number, ErrorCode][] = [
	[401, "KubeUnauthorized"],
	[403, "KubeForbidden"],
	[410, "KubeGone"],
	[422, "KubeInvalid"],
	[429, "KubeTooManyRequests"],
	[500, "KubeServerError"],
];
test.each(refusals)("a %d instead of a stream is %s", async (status, code) => {
	const { port } = await api.start((_request, response) =>
		reply(response, { kind: "Status", code: status, message: "no" }, status),
	);
	await expect(
		api
			.client(port)
			.watch(resources.services, {}, { signal: new AbortController().signal }),
	).rejects.toMatchObject({ code, message: "WATCH /api/v1/services: no" });
});

test("a page instead of a stream is KubeBadAnswer", async () => {
	const { stream } = await watched(
		(response) =>
			void response
				.writeHead(200, { "content-type": "text/html" })
				.end("<html>\n<body>Welcome"),
	);
	await expect(names(stream)).rejects.toMatchObject({
		code: "KubeBadAnswer",
	});
});
