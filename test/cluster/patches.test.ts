import { jest } from "@jest/globals";
import type { Service } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import {
	addFinalizer,
	annotate,
	combine,
	guard,
	type PatchBody,
	removeConditions,
	removeFinalizer,
	setConditions,
	setIngress,
} from "../../operator/cluster/patches.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(120_000);

let cluster: Cluster;
let client: KubeClient;

beforeAll(async () => {
	cluster = await startCluster();
	const sources = { clock: systemClock, log: quietLog() };
	const connection = await loadConnection({
		path: cluster.kubeconfigPath,
		...sources,
	});
	client = createKubeClient(connection, {
		...sources,
		userAgent: "fairlead-test/0",
	});
});
afterAll(async () => {
	client?.close();
	await cluster?.stop();
});

const { services } = resources;
const ref = (name: string) => ({ namespace: "default", name });
const status = (name: string) => ({
	...ref(name),
	subresource: "status" as const,
});
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

const condition = (type: string, reason = "Yes") => ({
	type,
	status: "True" as const,
	reason,
	message: "",
	lastTransitionTime: "2026-01-01T00:00:00Z",
});
const patch = (name: string, ...parts: PatchBody[]) =>
	client.patch<Service>(services, status(name), {
		type: "strategic-merge",
		body: combine(...parts),
	});

test("one patch sets finalizer, annotations, conditions and ingress, and leaves what others set", async () => {
	const made = await create("pieces", { theirs: "1" });
	await client.patch(services, ref("pieces"), {
		type: "merge",
		body: { metadata: { finalizers: ["example.com/theirs"] } },
	});
	const before = await patch(
		"pieces",
		setConditions([condition("example.com/Theirs")]),
	);
	const ingress = [{ ip: "192.0.2.7", ipMode: "VIP" as const }];
	const set = await patch(
		"pieces",
		guard(before),
		addFinalizer("fairlead.dev/balancer"),
		annotate({ ours: "2" }),
		setConditions([condition("fairlead.dev/Provisioned")]),
		setIngress(ingress),
	);
	expect(set.metadata.finalizers).toEqual([
		"fairlead.dev/balancer",
		"example.com/theirs",
	]);
	expect(set.metadata.annotations).toMatchObject({ theirs: "1", ours: "2" });
	expect(set.status).toEqual({
		loadBalancer: { ingress },
		conditions: expect.arrayContaining([
			condition("example.com/Theirs"),
			condition("fairlead.dev/Provisioned"),
		]) as unknown[],
	});
	expect(set.spec).toEqual(made.spec);

	const moved = await patch(
		"pieces",
		guard(set),
		setConditions([condition("fairlead.dev/Provisioned", "Moved")]),
		setIngress([{ ip: "192.0.2.8" }, { ip: "192.0.2.9" }]),
	);
	expect(moved.status?.conditions).toHaveLength(2);
	expect(moved.status?.loadBalancer?.ingress?.map((one) => one.ip)).toEqual([
		"192.0.2.8",
		"192.0.2.9",
	]);

	const cleared = await patch(
		"pieces",
		guard(moved),
		removeFinalizer("fairlead.dev/balancer"),
		annotate({ ours: null }),
		removeConditions(["fairlead.dev/Provisioned", "fairlead.dev/NeverSet"]),
		setIngress([]),
	);
	expect(cleared.metadata.finalizers).toEqual(["example.com/theirs"]);
	expect(cleared.metadata.annotations).toEqual({ theirs: "1" });
	expect(cleared.status).toEqual({
		loadBalancer: {},
		conditions: [condition("example.com/Theirs")],
	});
});

test("setting what is set already changes nothing, not even the resourceVersion", async () => {
	await create("same");
	const parts = [
		addFinalizer("fairlead.dev/balancer"),
		annotate({ a: "b" }),
		setConditions([condition("fairlead.dev/Serving")]),
		setIngress([{ ip: "192.0.2.7", ipMode: "VIP" }]),
	];
	const once = await patch("same", ...parts);
	expect(await patch("same", ...parts)).toEqual(once);
	await patch("same", removeFinalizer("fairlead.dev/balancer"));
});

test("removing the last finalizer of a Service being deleted lets it go", async () => {
	await create("leaving");
	await patch("leaving", addFinalizer("fairlead.dev/balancer"));
	await client.delete(services, ref("leaving"));
	const leaving = await client.get<Service>(services, ref("leaving"));
	expect(leaving.metadata.deletionTimestamp).toBeDefined();
	await patch(
		"leaving",
		guard(leaving),
		removeFinalizer("fairlead.dev/balancer"),
		setIngress([]),
	);
	expect(await codeOf(client.get(services, ref("leaving")))).toEqual([
		"KubeNotFound",
		"NotFound",
	]);
});

test("a guarded patch of an older version, or of a Service that was made anew, is a conflict", async () => {
	const first = await create("anew");
	await patch("anew", annotate({ a: "b" }));
	expect(
		await codeOf(patch("anew", guard(first), annotate({ a: "c" }))),
	).toEqual(["KubeConflict", "Conflict"]);
	await client.delete(services, ref("anew"));
	expect(
		await codeOf(patch("anew", guard(first), annotate({ a: "c" }))),
	).toEqual(["KubeNotFound", "NotFound"]);
	await create("anew");
	expect(
		await codeOf(patch("anew", guard(first), annotate({ a: "c" }))),
	).toEqual(["KubeConflict", "Conflict"]);
});
