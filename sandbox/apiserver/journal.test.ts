import { spawn } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	existsSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { numberAt, objectAt, objectsAt, stringAt } from "./access.ts";
import { startTestServer } from "./test-server.ts";

// What a data directory keeps.

let dataDir: string;
beforeEach(() => {
	dataDir = mkdtempSync(join(tmpdir(), "fairlead-apiserver-"));
});
afterEach(() => {
	chmodSync(dataDir, 0o700);
	rmSync(dataDir, { recursive: true });
});

const services = "/api/v1/namespaces/default/services";
const service = (name: string, spec: object = {}) => ({
	metadata: { name },
	spec: { type: "NodePort", ports: [{ port: 80 }], ...spec },
});
const crd = {
	apiVersion: "apiextensions.k8s.io/v1",
	kind: "CustomResourceDefinition",
	metadata: { name: "boats.example.com" },
	spec: {
		group: "example.com",
		names: { plural: "boats", kind: "Boat" },
		scope: "Namespaced",
		versions: [
			{
				name: "v1",
				served: true,
				storage: true,
				schema: {
					openAPIV3Schema: {
						type: "object",
						properties: { spec: { type: "object" } },
					},
				},
			},
		],
	},
};

test("objects, custom kinds, the authority and the token survive a restart", async () => {
	const same = {
		dataDir,
		crds: [crd],
		advertise: { address: "192.0.2.7", port: 6443 },
	};
	const first = await startTestServer(same);
	await first.call("POST", services, service("web"));
	await first.call("POST", services, service("gone"));
	await first.call("DELETE", `${services}/gone`);
	const boats = "/apis/example.com/v1/namespaces/default/boats";
	const boat = {
		apiVersion: "example.com/v1",
		kind: "Boat",
		metadata: { name: "ferry" },
		spec: {},
	};
	expect((await first.call("POST", boats, boat)).code).toBe(201);
	const before = await first.call("GET", "/api/v1/services");
	await first.close();

	const second = await startTestServer(same);
	const after = await second.call("GET", "/api/v1/services");
	expect(after.body["items"]).toEqual(before.body["items"]);
	expect((await second.call("GET", `${boats}/ferry`)).code).toBe(200);
	expect(second.server.ca).toBe(first.server.ca);
	expect(second.server.adminToken).toBe(first.server.adminToken);
	await second.close();
});

test("resourceVersions go on, and a watch from before the restart is told to list again", async () => {
	const first = await startTestServer({ dataDir });
	await first.call("POST", services, service("one"));
	const { body } = await first.call("POST", services, service("two"));
	const revision = numberAt(
		{ value: Number(stringAt(body, "metadata", "resourceVersion")) },
		"value",
	);
	await first.close();
	const second = await startTestServer({ dataDir });
	const third = await second.call("POST", services, service("three"));
	expect(
		Number(stringAt(third.body, "metadata", "resourceVersion")),
	).toBeGreaterThan(revision);
	const watch = await second.watch(
		`${services}?watch=1&resourceVersion=${revision - 1}`,
	);
	expect(await watch.next()).toMatchObject({
		type: "ERROR",
		object: { code: 410 },
	});
	await watch.ended();
	await second.close();
});

test("addresses and ports that were given out stay taken", async () => {
	const first = await startTestServer({ dataDir });
	const { body } = await first.call("POST", services, service("web"));
	const spec = objectAt(body, "spec");
	await first.close();
	const second = await startTestServer({ dataDir });
	const sameIp = await second.call(
		"POST",
		services,
		service("thief", { clusterIP: spec["clusterIP"] }),
	);
	expect(sameIp.body["message"]).toContain("already allocated");
	const nodePort = objectsAt(spec, "ports")[0]?.["nodePort"] as number;
	const samePort = await second.call(
		"POST",
		services,
		service("thief", { ports: [{ port: 80, nodePort }] }),
	);
	expect(samePort.body["message"]).toContain("already allocated");
	await second.close();
});

test("work that a kill left undone is done: namespaces empty, dependents go", async () => {
	const first = await startTestServer({ dataDir });
	const maps = "/api/v1/namespaces/default/configmaps";
	const owner = await first.call("POST", maps, { metadata: { name: "owner" } });
	await first.call("POST", maps, {
		metadata: {
			name: "owned",
			ownerReferences: [
				{
					apiVersion: "v1",
					kind: "ConfigMap",
					name: "owner",
					uid: stringAt(owner.body, "metadata", "uid"),
				},
			],
		},
	});
	await first.call("POST", "/api/v1/namespaces", { metadata: { name: "end" } });
	// Both writes are on disk; closing at once leaves no turn for what follows from them.
	await Promise.all([
		first.call("DELETE", `${maps}/owner`),
		first.call("DELETE", "/api/v1/namespaces/end"),
	]);
	await first.close();
	const second = await startTestServer({ dataDir });
	const gone = async (path: string) =>
		(await second.call("GET", path)).code === 404;
	while (
		!(await gone(`${maps}/owned`)) ||
		!(await gone("/api/v1/namespaces/end"))
	);
	await second.close();
});

const writer = `
	import { randomBytes } from "node:crypto";
	import { request } from "node:https";
	import { startApiServer } from ${JSON.stringify(new URL("./start.ts", import.meta.url).href)};
	import { systemClock } from ${JSON.stringify(new URL("../../operator/clock.ts", import.meta.url).href)};
	const log = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => log };
	const api = await startApiServer({
		host: "127.0.0.1", port: 0, dataDir: process.argv[1],
		clock: systemClock, random: (bytes) => randomBytes(bytes), log,
	});
	const post = (number) => new Promise((done) => {
		const sent = request(api.url + "/api/v1/namespaces/default/configmaps", {
			method: "POST", ca: api.ca,
			headers: { authorization: "Bearer " + api.adminToken, "content-type": "application/json" },
		}, (response) => response.resume().on("end", () => done(response.statusCode)));
		sent.end(JSON.stringify({ metadata: { name: "map-" + number } }));
	});
	for (let number = 0; ; number++)
		if (await post(number) === 201) process.stdout.write(number + "\\n");
`;

test("every write that was acknowledged before a kill -9 is there after it", async () => {
	const child = spawn(
		process.execPath,
		[
			"--disable-warning=ExperimentalWarning",
			"--input-type=module-typescript",
			"-e",
			writer,
			dataDir,
		],
		{ stdio: ["ignore", "pipe", "inherit"] },
	);
	const ended = once(child, "exit");
	let last = -1;
	for await (const line of createInterface({ input: child.stdout })) {
		last = Number(line);
		if (last === 150) child.kill("SIGKILL");
	}
	await ended;
	const api = await startTestServer({ dataDir });
	const { body } = await api.call(
		"GET",
		"/api/v1/namespaces/default/configmaps",
	);
	const names = new Set(
		objectsAt(body, "items").map((one) => stringAt(one, "metadata", "name")),
	);
	for (let number = 0; number <= last; number++)
		expect(names).toContain(`map-${number}`);
	expect(last).toBeGreaterThanOrEqual(150);
	await api.close();
}, 20_000);

test("a directory serves one API server at a time, and the next when that has ended or could not listen", async () => {
	const first = await startTestServer({ dataDir });
	await expect(startTestServer({ dataDir })).rejects.toMatchObject({
		code: "StoreUnusable",
		message: `cannot use data directory ${dataDir}: another API server is running on it`,
	});
	const taken = Number(new URL(first.server.url).port);
	const other = join(dataDir, "other");
	await expect(
		startTestServer({ dataDir: other, port: taken }),
	).rejects.toMatchObject({ code: "ListenFailed" });
	const next = await startTestServer({ dataDir: other });
	await next.close();
	await first.close();
});

test("a damaged file is one clear error, and is left as it is", async () => {
	const file = join(dataDir, "objects.sqlite");
	writeFileSync(
		file,
		"this is no database, and longer than its header would be".repeat(40),
	);
	const before = readFileSync(file);
	await expect(startTestServer({ dataDir })).rejects.toMatchObject({
		code: "StoreUnusable",
		message: expect.stringContaining(
			"objects.sqlite in it is damaged",
		) as string,
	});
	expect(readFileSync(file)).toEqual(before);
});

test("a directory that is a file is one clear error", async () => {
	const file = join(dataDir, "file");
	writeFileSync(file, "");
	await expect(startTestServer({ dataDir: file })).rejects.toMatchObject({
		code: "StoreUnusable",
		message: expect.stringContaining(file) as string,
	});
});

test("nobody else may read what is kept", async () => {
	const api = await startTestServer({ dataDir });
	expect(statSync(join(dataDir, "objects.sqlite")).mode & 0o077).toBe(0);
	expect(existsSync(join(dataDir, "objects.sqlite-wal"))).toBe(true);
	await api.close();
});
