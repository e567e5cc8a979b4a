import { objectAt, objectsAt } from "../access.ts";
import { startTestServer, type TestServer } from "../test-server.ts";

let api: TestServer;
beforeAll(async () => {
	api = await startTestServer({ crds: [widgets] });
});
afterAll(() => api.close());

const widgets = {
	metadata: { name: "widgets.example.com" },
	spec: {
		group: "example.com",
		scope: "Cluster",
		names: { plural: "widgets", kind: "Widget", shortNames: ["wi"] },
		versions: [
			{
				name: "v1",
				served: true,
				storage: true,
				subresources: { status: {} },
				schema: {
					openAPIV3Schema: {
						type: "object",
						required: ["spec"],
						properties: {
							spec: {
								type: "object",
								required: ["size"],
								properties: {
									size: { type: "integer", minimum: 1 },
									color: { type: "string", default: "red" },
								},
							},
							status: {
								type: "object",
								"x-kubernetes-preserve-unknown-fields": true,
							},
						},
					},
				},
			},
		],
	},
};

describe("a kind that a CustomResourceDefinition adds", () => {
	const path = "/apis/example.com/v1/widgets";
	const widget = (name: string, spec: object) => ({
		apiVersion: "example.com/v1",
		kind: "Widget",
		metadata: { name },
		spec,
	});

	test("is defaulted, pruned and validated by its schema", async () => {
		const made = await api.call("POST", path, widget("w", { size: 1, odd: 2 }));
		expect(made.code).toBe(201);
		expect(made.body["spec"]).toEqual({ size: 1, color: "red" });
		const refused = await api.call("POST", path, widget("x", { size: 0 }));
		expect(refused.code).toBe(422);
		expect(refused.body["message"]).toBe(
			'Widget.example.com "x" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
		);
	});

	test("counts changes of its spec, and not of its status, as generations", async () => {
		await api.call("POST", path, widget("g", { size: 1 }));
		await api.patch("merge", `${path}/g/status`, { status: { ok: true } });
		const { body } = await api.patch("merge", `${path}/g`, {
			spec: { size: 2 },
		});
		expect(objectAt(body, "metadata")["generation"]).toBe(2);
		expect(body["status"]).toEqual({ ok: true });
	});

	test("is found by discovery", async () => {
		const { body } = await api.call("GET", "/apis/example.com/v1");
		expect(objectsAt(body, "resources")[0]).toMatchObject({
			name: "widgets",
			shortNames: ["wi"],
			namespaced: false,
		});
	});
});
