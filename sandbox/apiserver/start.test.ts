import { listAt, objectAt, objectsAt, stringAt } from "./access.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let api: TestServer;
beforeAll(async () => {
	api = await startTestServer();
});
afterAll(() => api.close());

const services = "/api/v1/namespaces/default/services";
const service = (name: string, spec: object = {}) => ({
	apiVersion: "v1",
	kind: "Service",
	metadata: { name },
	spec: { ports: [{ port: 80 }], ...spec },
});

test("a request without the token is unauthorized", async () => {
	const reply = await api.call("GET", "/api/v1/namespaces", undefined, {
		authorization: "Bearer wrong",
	});
	expect(reply.code).toBe(401);
	expect(reply.body).toMatchObject({ reason: "Unauthorized", code: 401 });
});

test("a port that is taken is refused with a message that names it", async () => {
	const port = Number(new URL(api.server.url).port);
	await expect(startTestServer({ port })).rejects.toMatchObject({
		code: "ListenFailed",
		message: expect.stringContaining(`127.0.0.1:${port}`) as string,
	});
});

test("a LoadBalancer Service gets a ClusterIP, a NodePort and its defaults", async () => {
	const { code, body } = await api.call(
		"POST",
		services,
		service("balanced", { type: "LoadBalancer" }),
	);
	expect(code).toBe(201);
	expect(body["spec"]).toMatchObject({
		clusterIP: expect.stringMatching(/^10\.96\./) as string,
		allocateLoadBalancerNodePorts: true,
		externalTrafficPolicy: "Cluster",
		internalTrafficPolicy: "Cluster",
		ipFamilies: ["IPv4"],
		ipFamilyPolicy: "SingleStack",
		sessionAffinity: "None",
	});
	const [port] = objectsAt(body, "spec", "ports");
	expect(port).toMatchObject({ protocol: "TCP", targetPort: 80 });
	expect(Number(port?.["nodePort"])).toBeGreaterThanOrEqual(30086);
	expect(body["status"]).toEqual({ loadBalancer: {} });
});

test("an object that is there cannot be created again", async () => {
	await api.call("POST", services, service("twice"));
	const { code, body } = await api.call("POST", services, service("twice"));
	expect(code).toBe(409);
	expect(body).toMatchObject({
		reason: "AlreadyExists",
		message: 'services "twice" already exists',
		details: { name: "twice", kind: "services" },
	});
});

test("a Service without ports is invalid, with the field's path", async () => {
	const { code, body } = await api.call(
		"POST",
		services,
		service("portless", { ports: [] }),
	);
	expect(code).toBe(422);
	expect(body["message"]).toBe(
		'Service "portless" is invalid: spec.ports: Required value',
	);
});

test("an unknown field is refused when the client asks for strictness", async () => {
	const { code, body } = await api.call(
		"POST",
		`${services}?fieldValidation=Strict`,
		service("odd", { colour: "red" }),
	);
	expect(code).toBe(400);
	expect(body["message"]).toBe(
		'Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "spec.colour"',
	);
});

test("an update with a stale resourceVersion is a conflict", async () => {
	const created = await api.call("POST", services, service("stale"));
	await api.patch("merge", `${services}/stale`, {
		metadata: { labels: { a: "b" } },
	});
	const reply = await api.call("PUT", `${services}/stale`, created.body);
	expect(reply.code).toBe(409);
	expect(reply.body["message"]).toBe(
		'Operation cannot be fulfilled on services "stale": the object has been modified; please apply your changes to the latest version and try again',
	);
});

test("a patch that changes nothing writes nothing", async () => {
	const created = await api.call("POST", services, service("still"));
	const patched = await api.patch("merge", `${services}/still`, {
		spec: { type: "ClusterIP" },
	});
	expect(stringAt(patched.body, "metadata", "resourceVersion")).toBe(
		stringAt(created.body, "metadata", "resourceVersion"),
	);
});

test("a strategic merge patch merges ports and conditions by their keys", async () => {
	await api.call(
		"POST",
		services,
		service("keyed", {
			ports: [
				{ name: "a", port: 80 },
				{ name: "b", port: 81 },
			],
		}),
	);
	const { body } = await api.patch("strategic", `${services}/keyed`, {
		spec: { ports: [{ port: 81, targetPort: 8081 }] },
	});
	expect(objectsAt(body, "spec", "ports")).toMatchObject([
		{ name: "a", targetPort: 80 },
		{ name: "b", targetPort: 8081 },
	]);
});

test("a status patch sets status and annotations and leaves the spec alone", async () => {
	await api.call("POST", services, service("served", { type: "LoadBalancer" }));
	const { code, body } = await api.patch(
		"strategic",
		`${services}/served/status`,
		{
			metadata: { annotations: { a: "b" } },
			spec: { sessionAffinity: "ClientIP" },
			status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } },
		},
	);
	expect(code).toBe(200);
	expect(stringAt(body, "spec", "sessionAffinity")).toBe("None");
	expect(objectAt(body, "metadata", "annotations")).toEqual({ a: "b" });
	expect(objectsAt(body, "status", "loadBalancer", "ingress")).toEqual([
		{ ip: "203.0.113.7", ipMode: "VIP" },
	]);
});

test("a Service that leaves LoadBalancer loses class, NodePorts and ingress", async () => {
	await api.call(
		"POST",
		services,
		service("leaver", { type: "LoadBalancer", loadBalancerClass: "a.b/c" }),
	);
	await api.patch("merge", `${services}/leaver/status`, {
		status: { loadBalancer: { ingress: [{ ip: "203.0.113.8" }] } },
	});
	const { body } = await api.patch("merge", `${services}/leaver`, {
		spec: { type: "ClusterIP" },
	});
	expect(body["status"]).toEqual({ loadBalancer: {} });
	expect(objectAt(body, "spec")["loadBalancerClass"]).toBeUndefined();
	expect(objectsAt(body, "spec", "ports")[0]?.["nodePort"]).toBeUndefined();
});

test("an object with a finalizer stays, marked, until the finalizer goes", async () => {
	await api.call("POST", services, {
		...service("held"),
		metadata: { name: "held", finalizers: ["example.com/hold"] },
	});
	const deleted = await api.call("DELETE", `${services}/held`);
	expect(deleted.body["kind"]).toBe("Service");
	expect(objectAt(deleted.body, "metadata")["deletionTimestamp"]).toBeDefined();
	expect((await api.call("GET", `${services}/held`)).code).toBe(200);
	await api.patch("json", `${services}/held`, [
		{ op: "remove", path: "/metadata/finalizers" },
	]);
	expect((await api.call("GET", `${services}/held`)).code).toBe(404);
});

test("a watch tells of additions, changes and deletions in order", async () => {
	const { body: list } = await api.call("GET", services);
	const watch = await api.watch(
		`${services}?watch=1&resourceVersion=${stringAt(list, "metadata", "resourceVersion")}`,
	);
	await api.call("POST", services, service("watched"));
	await api.patch("merge", `${services}/watched`, {
		metadata: { labels: { a: "b" } },
	});
	await api.call("DELETE", `${services}/watched`);
	const types: string[] = [];
	for (let i = 0; i < 3; i++) {
		const event = await watch.next();
		expect(stringAt(event.object, "metadata", "name")).toBe("watched");
		types.push(event.type);
	}
	expect(types).toEqual(["ADDED", "MODIFIED", "DELETED"]);
	watch.close();
});

test("WatchList sends what is there and then the bookmark that says so", async () => {
	await api.call("POST", "/api/v1/namespaces", { metadata: { name: "lists" } });
	await api.call("POST", "/api/v1/namespaces/lists/services", service("one"));
	const watch = await api.watch(
		"/api/v1/namespaces/lists/services?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
	);
	expect(await watch.next()).toMatchObject({ type: "ADDED" });
	expect(await watch.next()).toMatchObject({
		type: "BOOKMARK",
		object: {
			kind: "Service",
			metadata: { annotations: { "k8s.io/initial-events-end": "true" } },
		},
	});
	watch.close();
});

test("a watch from a revision nobody remembers ends with 410", async () => {
	const small = await startTestServer({ watchHistory: 10 });
	for (let i = 0; i < 20; i++)
		await small.call(
			"PATCH",
			"/api/v1/namespaces/default",
			{ metadata: { annotations: { n: String(i) } } },
			{ "content-type": "application/merge-patch+json" },
		);
	const watch = await small.watch(
		"/api/v1/namespaces?watch=1&resourceVersion=2",
	);
	expect(await watch.next()).toMatchObject({
		type: "ERROR",
		object: { code: 410, reason: "Expired" },
	});
	await small.close();
});

test("a list in pages is the list at one moment", async () => {
	await api.call("POST", "/api/v1/namespaces", { metadata: { name: "pages" } });
	const path = "/api/v1/namespaces/pages/configmaps";
	for (const name of ["a", "b", "c"])
		await api.call("POST", path, { metadata: { name } });
	const first = await api.call("GET", `${path}?limit=2`);
	expect(first.body["metadata"]).toMatchObject({ remainingItemCount: 1 });
	await api.call("DELETE", `${path}/c`);
	const token = stringAt(first.body, "metadata", "continue");
	const second = await api.call("GET", `${path}?limit=2&continue=${token}`);
	expect(
		objectsAt(second.body, "items").map((one) =>
			stringAt(one, "metadata", "name"),
		),
	).toEqual(["c"]);
	expect(stringAt(second.body, "metadata", "resourceVersion")).toBe(
		stringAt(first.body, "metadata", "resourceVersion"),
	);
});

test("a list at a revision that is still to come times out with its cause", async () => {
	const { code, body } = await api.call(
		"GET",
		`${services}?resourceVersion=999999`,
	);
	expect(code).toBe(504);
	expect(objectsAt(body, "details", "causes")).toEqual([
		{
			reason: "ResourceVersionTooLarge",
			message: "Too large resource version",
		},
	]);
});

test("Services are selected by type and by nothing the real server does not know", async () => {
	const { body } = await api.call(
		"GET",
		`${services}?fieldSelector=spec.type%3DLoadBalancer`,
	);
	for (const one of objectsAt(body, "items"))
		expect(stringAt(one, "spec", "type")).toBe("LoadBalancer");
	const unknown = await api.call(
		"GET",
		`${services}?fieldSelector=spec.externalName%3Dx`,
	);
	expect(unknown.code).toBe(400);
});

test("kubectl's table of Services shows the external address", async () => {
	await api.call("POST", services, service("shown", { type: "LoadBalancer" }));
	await api.patch("merge", `${services}/shown/status`, {
		status: { loadBalancer: { ingress: [{ ip: "203.0.113.9" }] } },
	});
	const { body } = await api.call("GET", `${services}/shown`, undefined, {
		accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
	});
	const names = objectsAt(body, "columnDefinitions").map((one) => one["name"]);
	const [row] = objectsAt(body, "rows");
	expect(listAt(row, "cells")[names.indexOf("External-IP")]).toBe(
		"203.0.113.9",
	);
});

test("a dry run allocates nothing and stores nothing", async () => {
	const { code, body } = await api.call(
		"POST",
		`${services}?dryRun=All`,
		service("dry"),
	);
	expect(code).toBe(201);
	expect(stringAt(body, "spec", "clusterIP")).toBe("10.96.0.0");
	expect((await api.call("GET", `${services}/dry`)).code).toBe(404);
});

test("an event is one object under both its API versions", async () => {
	await api.call("POST", "/apis/events.k8s.io/v1/namespaces/default/events", {
		metadata: { name: "told" },
		eventTime: "2026-01-01T00:00:00.000000Z",
		reason: "EnsuredLoadBalancer",
		note: "done",
		type: "Normal",
		action: "Ensure",
		reportingController: "fairlead",
		reportingInstance: "one",
		regarding: { kind: "Service", name: "web", namespace: "default" },
	});
	const { body } = await api.call(
		"GET",
		"/api/v1/namespaces/default/events/told",
	);
	expect(body).toMatchObject({
		apiVersion: "v1",
		message: "done",
		involvedObject: { name: "web" },
		reportingComponent: "fairlead",
	});
});

test("a large answer is compressed for whoever takes that, a small one for nobody", async () => {
	const big = "x".repeat(200_000);
	const maps = "/api/v1/namespaces/default/configmaps";
	await api.call("POST", maps, { metadata: { name: "big" }, data: { big } });
	const ask = (encoding: string, path = maps) =>
		api.call("GET", path, undefined, { "accept-encoding": encoding });
	const length = async (encoding: string) =>
		Number((await ask(encoding)).headers["content-length"]);
	expect(await length("gzip;q=0")).toBeGreaterThan(200_000);
	expect(await length("identity")).toBeGreaterThan(200_000);
	expect(await length("deflate, gzip")).toBeLessThan(5_000);
	const { headers, body } = await ask("gzip", `${maps}/big`);
	expect(headers).toMatchObject({ "content-encoding": "gzip" });
	expect(objectAt(body, "data")).toEqual({ big });
	const small = await ask("gzip", "/api/v1/namespaces/default");
	expect(small.headers["content-encoding"]).toBeUndefined();
});
