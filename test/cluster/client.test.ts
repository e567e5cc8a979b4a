import { jest } from "@jest/globals";
import type { Service } from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import type { Event } from "../../operator/cluster/event-object.ts";
import { EventRecorder } from "../../operator/cluster/events.ts";
import {
	type KubeClient,
	resources,
	type WatchEvent,
} from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { annotate } from "../../operator/cluster/patches.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(120_000);

let cluster: Cluster;
let client: KubeClient;
const clients: KubeClient[] = [];

async function clientFor(path: string): Promise<KubeClient> {
	const sources = { clock: systemClock, log: quietLog() };
	const made = createKubeClient(await loadConnection({ path, ...sources }), {
		...sources,
		userAgent: "fairlead-test/0",
	});
	clients.push(made);
	return made;
}

beforeAll(async () => {
	cluster = await startCluster({ users: [{ name: "nobody" }] });
	client = await clientFor(cluster.kubeconfigPath);
});
afterAll(async () => {
	for (const made of clients) made.close();
	await cluster?.stop();
});

const { services } = resources;
const ref = (name: string) => ({ namespace: "default", name });
const create = (name: string, annotations: Record<string, string> = {}) =>
	client.create<Service>(services, {
		metadata: { ...ref(name), labels: { test: name }, annotations },
		spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
	});
const codeOf = (call: Promise<unknown>) =>
	call.then(
		() => undefined,
		(error: { code: string; reason?: string }) => [error.code, error.reason],
	);

test("an object is created, read, listed, replaced and deleted", async () => {
	const made = await create("crud", { note: "🦄".repeat(10) });
	expect(await client.get(services, ref("crud"))).toEqual(made);
	const listed = await client.list<Service>(services, {
		namespace: "default",
		labelSelector: "test=crud",
	});
	expect(listed.items.map((item) => item.metadata)).toEqual([made.metadata]);
	const replaced = await client.replace<Service>(services, {
		...made,
		spec: { ...made.spec, externalTrafficPolicy: "Local" },
	});
	expect(replaced.spec.externalTrafficPolicy).toBe("Local");
	expect(await codeOf(client.replace(services, made))).toEqual([
		"KubeConflict",
		"Conflict",
	]);
	await client.delete(services, ref("crud"));
	expect(await codeOf(client.get(services, ref("crud")))).toEqual([
		"KubeNotFound",
		"NotFound",
	]);
});

test("a list comes in pages, and one of several hundred kilobytes comes whole", async () => {
	const big = "x".repeat(100_000);
	for (const name of ["page-a", "page-b", "page-c"])
		await create(name, { big });
	const first = await client.list<Service>(services, {
		namespace: "default",
		limit: 2,
	});
	expect(first.items).toHaveLength(2);
	const rest = await client.list<Service>(services, {
		namespace: "default",
		limit: 500,
		continue: first.metadata.continue ?? "",
	});
	const whole = await client.list<Service>(services, { namespace: "default" });
	expect([...first.items, ...rest.items]).toEqual(whole.items);
	expect(
		whole.items.filter((item) => item.metadata.annotations?.["big"] === big),
	).toHaveLength(3);
});

test("a merge, a strategic merge, a JSON patch and an apply each change what they name", async () => {
	await create("patched");
	const label = (object: KubeObject) => object.metadata.labels?.["by"];
	const labelled = (by: string) => ({ metadata: { labels: { by } } });
	expect(
		label(
			await client.patch(services, ref("patched"), {
				type: "merge",
				body: labelled("merge"),
			}),
		),
	).toBe("merge");
	expect(
		label(
			await client.patch(services, ref("patched"), {
				type: "strategic-merge",
				body: labelled("strategic"),
			}),
		),
	).toBe("strategic");
	expect(
		label(
			await client.patch(services, ref("patched"), {
				type: "json",
				body: [{ op: "replace", path: "/metadata/labels/by", value: "json" }],
			}),
		),
	).toBe("json");
	const apply = {
		type: "apply",
		body: labelled("apply"),
		fieldManager: "tester",
	} as const;
	expect(await codeOf(client.patch(services, ref("patched"), apply))).toEqual([
		"KubeConflict",
		"Conflict",
	]);
	expect(
		label(
			await client.patch(services, ref("patched"), { ...apply, force: true }),
		),
	).toBe("apply");
});

test("a delete with preconditions spares another object and another version of it", async () => {
	const { metadata } = await create("guarded");
	expect(
		await codeOf(client.delete(services, ref("guarded"), { uid: "another" })),
	).toEqual(["KubeConflict", "Conflict"]);
	expect(
		await codeOf(
			client.delete(services, ref("guarded"), { resourceVersion: "1" }),
		),
	).toEqual(["KubeConflict", "Conflict"]);
	await client.delete(services, ref("guarded"), {
		uid: metadata.uid ?? "",
		resourceVersion: metadata.resourceVersion ?? "",
	});
	expect(await codeOf(client.get(services, ref("guarded")))).toEqual([
		"KubeNotFound",
		"NotFound",
	]);
});

test("what the server refuses has its code, its reason and its words", async () => {
	await create("twice");
	expect(await codeOf(create("twice"))).toEqual([
		"KubeConflict",
		"AlreadyExists",
	]);
	expect(
		await codeOf(client.get(resources.addressPools, { name: "x" })),
	).toEqual(["KubeNotFound", undefined]);
	expect(
		await codeOf(client.list(services, { fieldSelector: "spec.nonsense=1" })),
	).toEqual(["KubeInvalid", "BadRequest"]);
	await expect(
		client.create<Service>(services, {
			metadata: ref("bad"),
			spec: { ports: [{ port: 99_999 }] },
		}),
	).rejects.toMatchObject({
		code: "KubeInvalid",
		reason: "Invalid",
		message: expect.stringMatching(
			/^POST \/api\/v1\/namespaces\/default\/services: Service "bad" is invalid: .*spec\.ports\[0\]\.port: /,
		) as string,
	});
	const nobody = await clientFor(cluster.kubeconfigFor({ user: "nobody" }));
	await expect(nobody.list(services)).rejects.toMatchObject({
		code: "KubeForbidden",
		message: expect.stringContaining(
			'User "nobody" cannot list resource "services"',
		) as string,
	});
	const stranger = await clientFor(cluster.kubeconfigFor({ token: "wrong" }));
	expect(await codeOf(stranger.list(services))).toEqual([
		"KubeUnauthorized",
		"Unauthorized",
	]);
	expect(
		await codeOf(
			stranger.watch(services, {}, { signal: new AbortController().signal }),
		),
	).toEqual(["KubeUnauthorized", "Unauthorized"]);
});

test("a WatchList gives what is there, the bookmark that ends it, and then what happens", async () => {
	await create("watched");
	const stop = new AbortController();
	const stream = await client.watch<Service>(
		services,
		{
			namespace: "default",
			labelSelector: "test=watched",
			sendInitialEvents: true,
			resourceVersionMatch: "NotOlderThan",
			allowWatchBookmarks: true,
			timeoutSeconds: 60,
		},
		{ signal: stop.signal },
	);
	const story: string[] = [];
	for await (const batch of stream)
		for (const event of batch) {
			if (event.type === "ERROR") throw new Error(event.object.message);
			const { annotations } = event.object.metadata;
			const ends =
				event.type === "BOOKMARK" &&
				annotations?.["k8s.io/initial-events-end"] === "true";
			story.push(
				ends
					? "initial events end"
					: `${event.type} ${annotations?.["note"] ?? ""}`.trim(),
			);
			if (ends)
				await client.patch(services, ref("watched"), {
					type: "merge",
					body: annotate({ note: "ü🦄" }),
				});
			if (event.type === "MODIFIED")
				await client.delete(services, ref("watched"));
			if (event.type === "DELETED") stop.abort();
		}
	expect(story).toEqual([
		"ADDED",
		"initial events end",
		"MODIFIED ü🦄",
		"DELETED ü🦄",
	]);
});

test("events are recorded, and one that recurs is counted in its series", async () => {
	const service = await create("eventful");
	const recorder = new EventRecorder({
		client,
		clock: systemClock,
		random: Math.random,
		log: quietLog(),
		instance: "tester",
	});
	for (const note of ["up", "up", "down", "up", "x".repeat(5_000)])
		recorder.record(services, service, {
			type: "Normal",
			reason: "Changed",
			action: "Provision",
			note,
		});
	await recorder.flush(30_000);
	const { items } = await client.list<Event>(resources.events, {
		namespace: "default",
		fieldSelector: "regarding.name=eventful",
	});
	const told = items.map(({ note, series, regarding }) => [
		note.length,
		series?.count,
		regarding.uid,
		regarding.resourceVersion,
	]);
	const { uid, resourceVersion } = service.metadata;
	expect(told.toSorted(([a], [b]) => Number(a) - Number(b))).toEqual([
		[2, 2, uid, resourceVersion],
		[4, undefined, uid, resourceVersion],
		[1022, undefined, uid, resourceVersion],
	]);
	expect(recorder.dropped).toBe(0);
	const { stdout } = await cluster.kubectl([
		"events",
		"--for=service/eventful",
		"-o",
		"jsonpath={.items[*].reason}",
	]);
	expect(stdout).toBe("Changed Changed Changed");
});

test("a read goes on over a restart of the server; a watch from before it yields an ERROR with 410", async () => {
	await create("steady");
	await Promise.all(
		Array.from({ length: 8 }, () => client.get(services, ref("steady"))),
	);
	await cluster.restartApiServer("SIGKILL");
	expect((await client.get(services, ref("steady"))).metadata.name).toBe(
		"steady",
	);
	// What the new process did not see happen, it cannot tell.
	const stream = await client.watch<Service>(
		services,
		{ resourceVersion: "1", timeoutSeconds: 30 },
		{ signal: new AbortController().signal },
	);
	const events: WatchEvent<Service>[] = [];
	for await (const batch of stream) events.push(...batch);
	expect(events).toEqual([
		{
			type: "ERROR",
			object: expect.objectContaining({
				code: 410,
				reason: "Expired",
			}) as object,
		},
	]);
});
