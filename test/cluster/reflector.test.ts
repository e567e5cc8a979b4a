import { jest } from "@jest/globals";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import type { KubeObject } from "../../operator/api/meta.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { Store } from "../../operator/cluster/index.ts";
import type { KubeClient, Resource } from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { Reflector } from "../../operator/cluster/reflector.ts";
import { FairleadError } from "../../operator/errors.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(60_000);

const configMaps: Resource = {
	group: "",
	version: "v1",
	plural: "configmaps",
	kind: "ConfigMap",
	namespaced: true,
};
const namespace = "default";

let cluster: Cluster;
let client: KubeClient;
const running: Reflector<KubeObject>[] = [];
beforeAll(async () => {
	cluster = await startCluster();
	client = createKubeClient(
		await loadConnection({
			path: cluster.kubeconfigPath,
			clock: systemClock,
			log: quietLog(),
		}),
		{ clock: systemClock, log: quietLog(), userAgent: "reflector-test" },
	);
});
afterEach(async () => {
	for (const reflector of running.splice(0)) await reflector.stop();
});
afterAll(async () => {
	client?.close();
	await cluster.stop();
});

/** The real client on a line that can be cut and mended; notes what goes over it. */
class Line {
	readonly calls: string[] = [];
	#down = false;
	#open = new Set<AbortController>();

	cut(): void {
		this.#down = true;
		for (const connection of this.#open) connection.abort();
	}

	mend(): void {
		this.#down = false;
	}

	client(): Pick<KubeClient, "list" | "watch"> {
		return {
			list: (resource, list, options) => {
				this.calls.push(list?.limit === 1 ? "probe" : "list");
				this.#check();
				return client.list(resource, list, options);
			},
			watch: async (resource, watch, options) => {
				this.calls.push(watch.sendInitialEvents ? "watch-list" : "watch");
				this.#check();
				const connection = new AbortController();
				this.#open.add(connection);
				options.signal.addEventListener("abort", () => connection.abort());
				return client.watch(resource, watch, {
					...options,
					signal: connection.signal,
				});
			},
		};
	}

	#check(): void {
		if (this.#down)
			throw new FairleadError("KubeUnreachable", "the line is cut");
	}
}

function follow(selector: string) {
	const line = new Line();
	const store = new Store<KubeObject>({
		clock: systemClock,
		log: quietLog(),
		trim: ({ metadata }) => ({ metadata }),
	});
	const told: string[] = [];
	store.onChange(({ type, object }) =>
		told.push(`${type} ${object.metadata.name}`),
	);
	const reflector = new Reflector<KubeObject>({
		client: line.client(),
		resource: configMaps,
		namespace,
		labelSelector: `test=${selector}`,
		store,
		clock: systemClock,
		random: Math.random,
		log: quietLog(),
		tuning: { backoffCapMs: 500 },
	});
	running.push(reflector);
	reflector.start();
	return { line, store, told, reflector };
}

/** Resolves at the change that makes `holds` true. */
function until(store: Store<KubeObject>, holds: () => boolean): Promise<void> {
	return new Promise((resolve) => {
		if (holds()) return resolve();
		const off = store.onChange(() => {
			if (!holds()) return;
			off();
			resolve();
		});
	});
}

function create(test: string, name: string): Promise<KubeObject> {
	return client.create<KubeObject>(configMaps, {
		apiVersion: "v1",
		kind: "ConfigMap",
		metadata: { name, namespace, labels: { test } },
	});
}

const update = (name: string, color: string) =>
	client.patch(
		configMaps,
		{ namespace, name },
		{ type: "merge", body: { metadata: { annotations: { color } } } },
	);

async function expectTrue(
	store: Store<KubeObject>,
	selector: string,
): Promise<void> {
	const { items } = await client.list<KubeObject>(configMaps, {
		namespace,
		labelSelector: `test=${selector}`,
	});
	const stamps = (objects: Iterable<KubeObject>) =>
		[...objects]
			.map(({ metadata: m }) => `${m.name} ${m.uid} ${m.resourceVersion}`)
			.sort();
	expect(stamps(store.values())).toEqual(stamps(items));
}

test("a WatchList brings the first view and all that follows over one connection", async () => {
	await create("first", "first-a");
	const { line, store, told, reflector } = follow("first");
	await reflector.synced;
	expect(told).toEqual(["added first-a"]);
	const seen = until(store, () => store.has("default/first-b"));
	await create("first", "first-b");
	await seen;
	const gone = until(store, () => !store.has("default/first-a"));
	await client.delete(configMaps, { namespace, name: "first-a" });
	await gone;
	expect(line.calls).toEqual(["watch-list"]);
	expect(reflector.healthy().ok).toBe(true);
	await expectTrue(store, "first");
});

test("the answer of a write is in the store before the watch brings it, and is told once", async () => {
	const { store, told, reflector } = follow("write");
	await reflector.synced;
	const created = await create("write", "write-a");
	store.apply(created);
	expect(store.has("default/write-a")).toBe(true);
	const later = until(store, () => store.has("default/write-b"));
	await create("write", "write-b");
	await later;
	expect(told).toEqual(["added write-a", "added write-b"]);
});

test("what changed while the line was cut is told from where the watch ended, without a list", async () => {
	await create("cut", "cut-a");
	await create("cut", "cut-b");
	const { line, store, told, reflector } = follow("cut");
	await reflector.synced;
	line.cut();
	told.length = 0;
	await client.delete(configMaps, { namespace, name: "cut-a" });
	await create("cut", "cut-c");
	const seen = until(store, () => store.has("default/cut-c"));
	line.mend();
	await seen;
	expect(told).toEqual(["deleted cut-a", "added cut-c"]);
	expect(line.calls).not.toContain("list");
	expect(line.calls.filter((call) => call === "watch-list")).toHaveLength(1);
	await expectTrue(store, "cut");
});

test.each(["SIGTERM", "SIGKILL"] as const)(
	"an API server that is restarted by %s on its port is followed again",
	async (signal) => {
		const test = signal.toLowerCase();
		await create(test, `${test}-a`);
		const { store, reflector } = follow(test);
		await reflector.synced;
		await cluster.stopApiServer(signal);
		expect(store.size).toBe(1);
		await cluster.startApiServer();
		const seen = until(store, () => store.has(`default/${test}-b`));
		await create(test, `${test}-b`);
		await seen;
		await expectTrue(store, test);
	},
);

test("a version that was compacted away meanwhile is answered by reading all again", async () => {
	await create("gone", "gone-a");
	await create("gone", "gone-b");
	const { line, store, told, reflector } = follow("gone");
	await reflector.synced;
	line.cut();
	told.length = 0;
	await client.delete(configMaps, { namespace, name: "gone-a" });
	await update("gone-b", "red");
	const last = await create("gone", "gone-c");
	await compact(Number(last.metadata.resourceVersion));
	// A new API server has no events of its own to answer with.
	await cluster.restartApiServer();
	const seen = until(store, () => store.has("default/gone-c"));
	const before = line.calls.length;
	line.mend();
	await seen;
	expect([...told].sort()).toEqual([
		"added gone-c",
		"deleted gone-a",
		"updated gone-b",
	]);
	expect(line.calls.slice(before).slice(-3)).toEqual([
		"probe",
		"watch",
		"watch-list",
	]);
	await expectTrue(store, "gone");
});

/** Makes etcd forget everything before `revision`, by its JSON gateway. */
async function compact(revision: number): Promise<void> {
	const answer = await new Promise<string>((resolve, reject) => {
		const sent = request(
			{
				socketPath: `${cluster.folder}/etcd.sock`,
				path: "/v3/kv/compaction",
				method: "POST",
			},
			(response) => {
				text(response).then(
					(body) => resolve(`${response.statusCode} ${body}`),
					reject,
				);
			},
		);
		sent.on("error", reject);
		sent.end(JSON.stringify({ revision, physical: true }));
	});
	expect(answer).toMatch(/^200 /);
}
