import { objectsAt, stringAt } from "../access.ts";
import { startTestServer, type TestServer } from "../test-server.ts";

let api: TestServer;
beforeAll(async () => {
	api = await startTestServer();
});
afterAll(() => api.close());

const pods = "/api/v1/namespaces/default/pods";
async function create(name: string, spec: object = {}): Promise<void> {
	const { code } = await api.call("POST", pods, {
		metadata: { name },
		spec: { containers: [{ name: "web", image: "busybox" }], ...spec },
	});
	expect(code).toBe(201);
}
const bind = (name: string, node: string) =>
	api.call("POST", `${pods}/${name}/binding`, {
		apiVersion: "v1",
		kind: "Binding",
		metadata: { name },
		target: { kind: "Node", name: node },
	});

test("binding gives a pod to a node, once", async () => {
	await create("bound");
	const first = await bind("bound", "node-1");
	expect(first).toMatchObject({ code: 201, body: { status: "Success" } });
	const { body } = await api.call("GET", `${pods}/bound`);
	expect(stringAt(body, "spec", "nodeName")).toBe("node-1");
	expect(stringAt(body, "status", "phase")).toBe("Pending");
	expect(objectsAt(body, "status", "conditions")).toMatchObject([
		{ type: "PodScheduled", status: "True" },
	]);
	const second = await bind("bound", "node-2");
	expect(second).toMatchObject({
		code: 409,
		body: {
			message:
				'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "node-1"',
		},
	});
});

test("binding needs a node and a pod that is there", async () => {
	await create("unbound");
	const nowhere = await bind("unbound", "");
	expect(nowhere.body["message"]).toContain("target.name: Required value");
	expect((await bind("nobody", "node-1")).code).toBe(404);
});

test("evicting deletes, with the options it carries", async () => {
	await create("evicted", { nodeName: "node-1" });
	const evict = (deleteOptions: object) =>
		api.call("POST", `${pods}/evicted/eviction`, {
			apiVersion: "policy/v1",
			kind: "Eviction",
			metadata: { name: "evicted" },
			deleteOptions,
		});
	const wrong = await evict({ preconditions: { uid: "another" } });
	expect(wrong.code).toBe(409);
	const graceful = await evict({ gracePeriodSeconds: 7 });
	expect(graceful.code).toBe(201);
	const { body } = await api.call("GET", `${pods}/evicted`);
	expect(body).toMatchObject({ metadata: { deletionGracePeriodSeconds: 7 } });
	await evict({ gracePeriodSeconds: 0 });
	expect((await api.call("GET", `${pods}/evicted`)).code).toBe(404);
});

test("a connection that stays HTTP is told to upgrade", async () => {
	await create("plain");
	const { code, body } = await api.call("POST", `${pods}/plain/exec?command=a`);
	expect(code).toBe(400);
	expect(body["message"]).toBe("Upgrade request required");
});
