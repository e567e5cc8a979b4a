import { objectAt, objectsAt } from "../access.ts";
import type { JsonObject } from "../schema/decode.ts";
import { startTestServer, type TestServer } from "../test-server.ts";

let api: TestServer;
beforeAll(async () => {
	api = await startTestServer();
});
afterAll(() => api.close());

const services = "/api/v1/namespaces/default/services";
const apply = (
	name: string,
	manager: string,
	rest: object,
	query = "",
	subresource = "",
) =>
	api.patch(
		"apply",
		`${services}/${name}${subresource}?fieldManager=${manager}${query}`,
		{ apiVersion: "v1", kind: "Service", metadata: { name }, ...rest },
	);
const fieldsOf = (object: JsonObject, manager: string) =>
	objectAt(
		objectsAt(object, "metadata", "managedFields").find(
			(one) => one["manager"] === manager,
		),
		"fieldsV1",
	);

test("an applied object is created, and its manager owns what it said, not what was defaulted", async () => {
	const { code, body } = await apply("made", "one", {
		spec: { ports: [{ port: 80 }] },
	});
	expect(code).toBe(201);
	expect(fieldsOf(body, "one")).toEqual({
		"f:spec": {
			"f:ports": {
				'k:{"port":80,"protocol":"TCP"}': { ".": {}, "f:port": {} },
			},
		},
	});
});

test("TCP and UDP of one port are two ports", async () => {
	const ports = [
		{ name: "t", port: 53, protocol: "TCP" },
		{ name: "u", port: 53, protocol: "UDP" },
	];
	await apply("both", "one", { spec: { ports } });
	const { body } = await apply(
		"both",
		"two",
		{
			spec: { ports: [{ port: 53, protocol: "UDP", targetPort: 5353 }] },
		},
		"&force=true",
	);
	expect(objectsAt(body, "spec", "ports")).toMatchObject([
		{ name: "t", protocol: "TCP" },
		{ name: "u", protocol: "UDP" },
	]);
});

test("what a manager no longer applies goes, unless another owns it too", async () => {
	await apply("shrink", "one", {
		metadata: { name: "shrink", labels: { mine: "1", ours: "1" } },
		spec: { ports: [{ port: 80 }] },
	});
	await apply("shrink", "two", {
		metadata: { name: "shrink", labels: { ours: "1" } },
	});
	const { body } = await apply("shrink", "one", {
		spec: { ports: [{ port: 80 }] },
	});
	expect(objectAt(body, "metadata", "labels")).toEqual({ ours: "1" });
});

test("another manager's value is a conflict that names manager and field", async () => {
	await apply("contested", "one", {
		spec: {
			ports: [{ port: 80 }],
			externalTrafficPolicy: "Local",
			type: "NodePort",
		},
	});
	const refused = await apply("contested", "two", {
		spec: { externalTrafficPolicy: "Cluster" },
	});
	expect(refused.code).toBe(409);
	expect(refused.body).toMatchObject({
		reason: "Conflict",
		message:
			'Apply failed with 1 conflict: conflict with "one": .spec.externalTrafficPolicy',
		details: {
			causes: [
				{
					reason: "FieldManagerConflict",
					message: 'conflict with "one"',
					field: ".spec.externalTrafficPolicy",
				},
			],
		},
	});
	const forced = await apply(
		"contested",
		"two",
		{ spec: { externalTrafficPolicy: "Cluster" } },
		"&force=true",
	);
	expect(forced.code).toBe(200);
	expect(objectAt(fieldsOf(forced.body, "one"), "f:spec")).not.toHaveProperty(
		"f:externalTrafficPolicy",
	);
});

test("the same value is owned together, without a conflict", async () => {
	await apply("shared", "one", {
		metadata: { name: "shared", labels: { a: "b" } },
		spec: { ports: [{ port: 80 }] },
	});
	const { code, body } = await apply("shared", "two", {
		metadata: { name: "shared", labels: { a: "b" } },
	});
	expect(code).toBe(200);
	for (const manager of ["one", "two"])
		expect(
			objectAt(fieldsOf(body, manager), "f:metadata", "f:labels"),
		).toHaveProperty("f:a");
});

test("applying the same again writes nothing", async () => {
	const first = await apply("same", "one", { spec: { ports: [{ port: 80 }] } });
	const again = await apply("same", "one", { spec: { ports: [{ port: 80 }] } });
	expect(objectAt(again.body, "metadata")["resourceVersion"]).toBe(
		objectAt(first.body, "metadata")["resourceVersion"],
	);
});

test("a plain update takes the fields it changes from who applied them", async () => {
	await apply("taken", "one", {
		metadata: { name: "taken", labels: { a: "1" } },
		spec: { ports: [{ port: 80 }] },
	});
	const { body } = await api.patch(
		"merge",
		`${services}/taken?fieldManager=two`,
		{
			metadata: { labels: { a: "2" } },
		},
	);
	expect(objectAt(fieldsOf(body, "one"), "f:metadata")).toEqual({});
	expect(
		objectAt(fieldsOf(body, "two"), "f:metadata", "f:labels"),
	).toHaveProperty("f:a");
});

test("conditions in status are owned one by one", async () => {
	await apply("conditions", "spec", { spec: { ports: [{ port: 80 }] } });
	const condition = (type: string) => ({
		type,
		status: "True",
		reason: "R",
		message: "",
		lastTransitionTime: "2026-01-01T00:00:00Z",
	});
	for (const type of ["A", "B"])
		await apply(
			"conditions",
			type,
			{ status: { conditions: [condition(type)] } },
			"",
			"/status",
		);
	const { body } = await apply(
		"conditions",
		"A",
		{ status: {} },
		"",
		"/status",
	);
	expect(
		objectsAt(body, "status", "conditions").map((one) => one["type"]),
	).toEqual(["B"]);
});

test("a request without a field manager is refused", async () => {
	const { code, body } = await api.patch("apply", `${services}/made`, {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: "made" },
	});
	expect(code).toBe(422);
	expect(body["message"]).toBe(
		'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
	);
});
