import http from "node:http";
import net from "node:net";
import { gzipSync } from "node:zlib";
import {
	ApiServerDouble,
	reply,
	type Seen,
} from "../../test/support/api-server-double.ts";
import type { Service } from "../api/core.ts";
import type { ErrorCode } from "../errors.ts";
import { type KubeClient, resources } from "./kube.ts";

const api = new ApiServerDouble();
afterEach(() => api.end());

const web: Service = {
	metadata: { namespace: "shop", name: "web" },
	spec: { type: "LoadBalancer" },
};
const ref = { namespace: "shop", name: "web" };

describe("requests", () => {
	type Row = [
		string,
		(client: KubeClient) => Promise<unknown>,
		Partial<Seen>,
		string?,
	];
	const rows: Row[] = [
		[
			"get reads one object",
			(c) => c.get(resources.services, ref),
			{ method: "GET", url: "/api/v1/namespaces/shop/services/web" },
		],
		[
			"get reads a cluster-scoped one",
			(c) => c.get(resources.nodes, { name: "n1" }),
			{ method: "GET", url: "/api/v1/nodes/n1" },
		],
		[
			"get reads a subresource",
			(c) => c.get(resources.services, { ...ref, subresource: "status" }),
			{ url: "/api/v1/namespaces/shop/services/web/status" },
		],
		[
			"create posts to the collection, apiVersion and kind filled in",
			(c) => c.create(resources.leases, { metadata: ref }),
			{
				method: "POST",
				url: "/apis/coordination.k8s.io/v1/namespaces/shop/leases",
				body: {
					apiVersion: "coordination.k8s.io/v1",
					kind: "Lease",
					metadata: ref,
				},
			},
			"application/json",
		],
		[
			"replace puts the object",
			(c) => c.replace(resources.services, web),
			{
				method: "PUT",
				url: "/api/v1/namespaces/shop/services/web",
				body: { apiVersion: "v1", kind: "Service", ...web },
			},
			"application/json",
		],
		[
			"replace puts a subresource",
			(c) => c.replace(resources.services, web, { subresource: "status" }),
			{ method: "PUT", url: "/api/v1/namespaces/shop/services/web/status" },
			"application/json",
		],
		[
			"a merge patch",
			(c) =>
				c.patch(resources.services, ref, { type: "merge", body: { a: null } }),
			{
				method: "PATCH",
				url: "/api/v1/namespaces/shop/services/web",
				body: { a: null },
			},
			"application/merge-patch+json",
		],
		[
			"a strategic merge patch of status",
			(c) =>
				c.patch(
					resources.services,
					{ ...ref, subresource: "status" },
					{ type: "strategic-merge", body: { status: {} } },
				),
			{ url: "/api/v1/namespaces/shop/services/web/status" },
			"application/strategic-merge-patch+json",
		],
		[
			"a JSON patch",
			(c) =>
				c.patch(resources.services, ref, {
					type: "json",
					body: [{ op: "remove", path: "/a" }],
				}),
			{ body: [{ op: "remove", path: "/a" }] },
			"application/json-patch+json",
		],
		[
			"a server-side apply names its manager",
			(c) =>
				c.patch(resources.services, ref, {
					type: "apply",
					body: { spec: {} },
					fieldManager: "me & you",
					force: true,
				}),
			{
				url: "/api/v1/namespaces/shop/services/web?fieldManager=me+%26+you&force=true",
				body: { apiVersion: "v1", kind: "Service", spec: {} },
			},
			"application/apply-patch+yaml",
		],
		[
			"delete carries its preconditions",
			(c) =>
				c.delete(resources.services, ref, { uid: "u1", resourceVersion: "7" }),
			{
				method: "DELETE",
				body: {
					apiVersion: "v1",
					kind: "DeleteOptions",
					preconditions: { uid: "u1", resourceVersion: "7" },
				},
			},
			"application/json",
		],
		[
			"delete says how long the object may take",
			(c) => c.delete(resources.pods, ref, {}, { gracePeriodSeconds: 0 }),
			{ body: expect.objectContaining({ gracePeriodSeconds: 0 }) as object },
			"application/json",
		],
		[
			"a pod is bound by its subresource",
			(c) =>
				c.act(
					resources.pods,
					{ ...ref, subresource: "binding" },
					{ target: { kind: "Node", name: "node-1" } },
				),
			{
				method: "POST",
				url: "/api/v1/namespaces/shop/pods/web/binding",
				body: { target: { kind: "Node", name: "node-1" } },
			},
			"application/json",
		],
	];
	test.each(rows)("%s", async (...[, act, expected, contentType]: Row) => {
		const { port, seen } = await api.start((_request, response) =>
			reply(response, { kind: "Service", ...web }),
		);
		await act(api.client(port));
		expect(seen).toEqual([expect.objectContaining(expected)]);
		expect(seen[0]?.headers["content-type"]).toBe(contentType);
		expect(seen[0]?.headers).toMatchObject({
			accept: "application/json",
			"user-agent": "fairlead-test/0",
		});
	});

	test("list sends what is given and nothing else, and null items are none", async () => {
		const { port, seen } = await api.start((_request, response) =>
			reply(response, {
				kind: "ServiceList",
				metadata: { resourceVersion: "5" },
				items: null,
			}),
		);
		const list = await api.client(port).list(resources.services, {
			labelSelector: "a in (b, c)",
			limit: 500,
		});
		expect(list).toEqual({ metadata: { resourceVersion: "5" }, items: [] });
		expect(seen[0]?.url).toBe(
			"/api/v1/services?labelSelector=a+in+%28b%2C+c%29&limit=500",
		);
	});

	test("objects come back as they stand on the wire, unknown fields and characters beyond ASCII included", async () => {
		const odd = { ...web, kind: "Service", later: { ключ: "🦄" } };
		const { port } = await api.start((_request, response) =>
			reply(response, odd),
		);
		expect(await api.client(port).get(resources.services, ref)).toEqual(odd);
	});

	test("a server below a path is asked below that path", async () => {
		const { port, seen } = await api.start((_request, response) =>
			reply(response, web),
		);
		await api
			.client(port, {}, { path: "/k8s/clusters/c-1/" })
			.get(resources.services, ref);
		expect(seen[0]?.url).toBe(
			"/k8s/clusters/c-1/api/v1/namespaces/shop/services/web",
		);
	});

	test("a body in gzip is read, and gzip is not asked for where the kubeconfig disables it", async () => {
		const { port, seen } = await api.start((request, response) => {
			if (!request.headers["accept-encoding"]) return reply(response, web);
			response.writeHead(200, {
				"content-type": "application/json",
				"content-encoding": "gzip",
			});
			response.end(gzipSync(JSON.stringify(web)));
		});
		expect(await api.client(port).get(resources.services, ref)).toEqual(web);
		expect(
			await api
				.client(port, { disableCompression: true })
				.get(resources.services, ref),
		).toEqual(web);
		expect(seen.map((one) => one.headers["accept-encoding"])).toEqual([
			"gzip",
			undefined,
		]);
	});

	test("impersonation headers go with every request", async () => {
		const { port, seen } = await api.start((_request, response) =>
			reply(response, web),
		);
		await api
			.client(port, {
				headers: { "impersonate-user": "ann", "impersonate-group": ["a", "b"] },
			})
			.get(resources.services, ref);
		expect(seen[0]?.headers).toMatchObject({
			"impersonate-user": "ann",
			"impersonate-group": "a, b",
		});
	});

	test("calls share kept-alive connections, no more than maxSockets", async () => {
		const sockets = new Set<unknown>();
		const port = await api.loopback.listen(
			http.createServer((request, response) => {
				sockets.add(request.socket);
				reply(response, web);
			}),
		);
		const client = api.client(port, {}, { maxSockets: 2 });
		for (let round = 0; round < 3; round++)
			await Promise.all(
				Array.from({ length: 10 }, () => client.get(resources.services, ref)),
			);
		expect(sockets.size).toBe(2);
	});
});

describe("answers", () => {
	const status = (code: number, reason: string, message: string) =>
		JSON.stringify({
			kind: "Status",
			apiVersion: "v1",
			status: "Failure",
			code,
			reason,
			message,
		});
	type Row = [string, number, string, ErrorCode, http.OutgoingHttpHeaders?];
	const rows: Row[] = [
		[
			"401",
			401,
			status(401, "Unauthorized", "Unauthorized"),
			"KubeUnauthorized",
		],
		[
			"403",
			403,
			status(403, "Forbidden", "services is forbidden"),
			"KubeForbidden",
		],
		[
			"404",
			404,
			status(404, "NotFound", 'services "web" not found'),
			"KubeNotFound",
		],
		[
			"409",
			409,
			status(409, "AlreadyExists", "already exists"),
			"KubeConflict",
		],
		["410", 410, status(410, "Expired", "too old"), "KubeGone"],
		[
			"422",
			422,
			status(422, "Invalid", "spec.ports: Required value"),
			"KubeInvalid",
		],
		[
			"429",
			429,
			status(429, "TooManyRequests", "slow down"),
			"KubeTooManyRequests",
			{ "retry-after": "2" },
		],
		["500", 500, status(500, "InternalError", "etcd"), "KubeServerError"],
		[
			"503",
			503,
			"upstream connect error",
			"KubeServerError",
			{ "retry-after": "2" },
		],
		[
			"an HTML page with 200",
			200,
			"<html>Welcome</html>",
			"KubeBadAnswer",
			{ "content-type": "text/html" },
		],
		["JSON that is no object with 200", 200, "[1,2]", "KubeBadAnswer"],
		["null with 200", 200, "null", "KubeBadAnswer"],
		[
			"JSON of somebody else with 200",
			200,
			'{"hello":"world"}',
			"KubeBadAnswer",
		],
		["half a JSON with 200", 200, '{"metadata":{"name":"we', "KubeBadAnswer"],
		["nothing with 200", 200, "", "KubeBadAnswer"],
		[
			"text that claims to be gzip",
			200,
			"plain",
			"KubeBadAnswer",
			{ "content-encoding": "gzip" },
		],
	];
	test.each(rows)(
		"%s is the right error",
		async (...[, code, body, expected, headers]: Row) => {
			const { port, seen } = await api.start((_request, response) =>
				reply(response, body, code, headers),
			);
			const error: unknown = await api
				.client(port)
				.get(resources.services, ref)
				.catch((thrown: unknown) => thrown);
			expect(error).toMatchObject({ code: expected, name: "FairleadError" });
			expect((error as Error).message).toMatch(
				/^GET \/api\/v1\/namespaces\/shop\/services\/web: ./,
			);
			expect((error as { retryAfterMs?: number }).retryAfterMs).toBe(
				headers?.["retry-after"] ? 2_000 : undefined,
			);
			expect(seen).toHaveLength(1);
		},
	);

	test("a list without resourceVersion or items is no Kubernetes list", async () => {
		for (const body of [
			{ metadata: {}, items: [] },
			{ metadata: { resourceVersion: "1" } },
		]) {
			const { port } = await api.start((_request, response) =>
				reply(response, body),
			);
			await expect(
				api.client(port).list(resources.services),
			).rejects.toMatchObject({ code: "KubeBadAnswer" });
		}
	});

	test("a server that does not speak HTTP is KubeBadAnswer", async () => {
		const port = await api.loopback.listen(
			net.createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n")),
		);
		await expect(
			api.client(port).get(resources.services, ref),
		).rejects.toMatchObject({ code: "KubeBadAnswer" });
	});
});
