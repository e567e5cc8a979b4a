import { objectAt, objectsAt, stringAt } from "./access.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let api: TestServer;
beforeAll(async () => {
	api = await startTestServer();
});
afterAll(() => api.close());

/** Awaits the DELETED event of an object. */
async function gone(collection: string, name: string): Promise<void> {
	const watch = await api.watch(
		`${collection}?watch=1&fieldSelector=metadata.name%3D${name}`,
	);
	while ((await watch.next()).type !== "DELETED");
	watch.close();
}

const configMaps = "/api/v1/namespaces/default/configmaps";
async function owned(name: string, owner?: string): Promise<string> {
	const { body } = await api.call("POST", configMaps, {
		metadata: {
			name,
			...(owner
				? {
						ownerReferences: [
							{
								apiVersion: "v1",
								kind: "ConfigMap",
								name: "owner",
								uid: owner,
							},
						],
					}
				: {}),
		},
	});
	return stringAt(body, "metadata", "uid");
}

test("a cluster begins with its namespaces and the Service of its API server", async () => {
	const { body } = await api.call(
		"GET",
		"/api/v1/namespaces/default/services/kubernetes",
	);
	expect(objectAt(body, "spec")["clusterIP"]).toBe("10.96.0.1");
	const list = await api.call("GET", "/api/v1/namespaces");
	expect(
		objectsAt(list.body, "items").map((one) =>
			stringAt(one, "metadata", "name"),
		),
	).toEqual(["default", "kube-node-lease", "kube-public", "kube-system"]);
});

test("a deleted namespace takes its content with it, and nothing new comes in meanwhile", async () => {
	await api.call("POST", "/api/v1/namespaces", {
		metadata: { name: "doomed" },
	});
	const inside = "/api/v1/namespaces/doomed/configmaps";
	await api.call("POST", inside, {
		metadata: { name: "held", finalizers: ["example.com/hold"] },
	});
	await api.call("POST", inside, { metadata: { name: "free" } });
	const free = gone(inside, "free");
	const { body } = await api.call("DELETE", "/api/v1/namespaces/doomed");
	expect(objectAt(body, "status")["phase"]).toBe("Terminating");
	await free;
	const refused = await api.call("POST", inside, {
		metadata: { name: "late" },
	});
	expect(refused.code).toBe(403);
	expect(refused.body["message"]).toBe(
		'configmaps "late" is forbidden: unable to create new content in namespace doomed because it is being terminated',
	);
	const end = gone("/api/v1/namespaces", "doomed");
	await api.patch("merge", `${inside}/held`, {
		metadata: { finalizers: null },
	});
	await end;
});

test("an object goes when its owner has gone", async () => {
	const uid = await owned("owner");
	await owned("dependent", uid);
	const end = gone(configMaps, "dependent");
	await api.call("DELETE", `${configMaps}/owner`);
	await end;
});

test("an owner deleted in the foreground goes after what it owns", async () => {
	const uid = await owned("owner");
	await owned("first", uid);
	const order: string[] = [];
	const ends = ["owner", "first"].map((name) =>
		gone(configMaps, name).then(() => order.push(name)),
	);
	const { body } = await api.call("DELETE", `${configMaps}/owner`, {
		propagationPolicy: "Foreground",
	});
	expect(objectAt(body, "metadata")["finalizers"]).toEqual([
		"foregroundDeletion",
	]);
	await Promise.all(ends);
	expect(order).toEqual(["first", "owner"]);
});

test("what an owner leaves as orphans stays, without the owner", async () => {
	const uid = await owned("owner");
	await owned("orphan", uid);
	const end = gone(configMaps, "owner");
	await api.call("DELETE", `${configMaps}/owner`, {
		propagationPolicy: "Orphan",
	});
	await end;
	const { body } = await api.call("GET", `${configMaps}/orphan`);
	expect(objectsAt(body, "metadata", "ownerReferences")).toEqual([]);
});
