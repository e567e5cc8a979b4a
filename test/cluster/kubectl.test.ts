import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import {
	type ApiServer,
	startApiServer,
} from "../../sandbox/apiserver/start.ts";
import { startDeployments } from "../../sandbox/controllers/deployments.ts";
import { startEndpointSlices } from "../../sandbox/controllers/endpoint-slices.ts";
import { startEndpoints } from "../../sandbox/controllers/endpoints.ts";
import { addIndexes } from "../../sandbox/controllers/indexes.ts";
import type { Loop } from "../../sandbox/controllers/loop.ts";
import { startReplicaSets } from "../../sandbox/controllers/replica-sets.ts";
import { startServiceAccounts } from "../../sandbox/controllers/service-accounts.ts";
import { startStores, type Stores } from "../../sandbox/stores.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { plainConnection } from "../support/connection.ts";
import { kubectlFor } from "../support/kubectl.ts";
import { quietLog } from "../support/quiet-log.ts";
import { endpoint } from "./apiserver-play.ts";
import { play, type Side } from "./kubectl-play.ts";
import { rows } from "./kubectl-rows.ts";

// kubectl says and does the same on the sandbox as on a real cluster: every command is run on both.

const log = quietLog();
let real: Cluster;
let ours: ApiServer;
let client: KubeClient;
let stores: Stores;
let loops: Loop[];
let sides: [real: Side, ours: Side];

beforeAll(async () => {
	real = await startCluster({
		controllerManager: true,
		controllerManagerArgs: [
			"--controllers=*,-node-lifecycle-controller,-endpointslice-mirroring-controller,-ttl-controller",
		],
		apiServerArgs: [
			// No controller takes its taint off new nodes; and no kubelet mounts a token into pods.
			"--disable-admission-plugins=TaintNodesByCondition,ServiceAccount",
		],
	});
	ours = await startApiServer({
		host: "127.0.0.1",
		port: 0,
		advertise: { address: "192.0.2.1", port: 6443 },
		clock: systemClock,
		random: (bytes) => randomBytes(bytes),
		log,
	});
	client = createKubeClient(
		plainConnection(ours.url, {
			ca: ours.ca,
			credentials: () =>
				Promise.resolve({ authorization: `Bearer ${ours.adminToken}` }),
		}),
		{ clock: systemClock, log, userAgent: "controllers" },
	);
	const options = { client, clock: systemClock, random: Math.random, log };
	stores = startStores(options);
	addIndexes(stores);
	const whole = { ...options, stores };
	loops = [
		startReplicaSets(whole),
		startDeployments(whole),
		startEndpointSlices(whole),
		startEndpoints(whole),
		startServiceAccounts({ ...whole, rootCa: ours.ca }),
	];
	sides = [
		{
			kubectl: kubectlFor(readFileSync(real.kubeconfigPath, "utf8")),
			endpoint: endpoint(real.server, real.ca, real.adminToken),
			ownNames: [real.server],
		},
		{
			kubectl: kubectlFor(ours.kubeconfig()),
			endpoint: endpoint(ours.url, ours.ca, ours.adminToken),
			ownNames: [ours.url],
		},
	];
}, 60_000);

afterAll(async () => {
	for (const { kubectl } of sides) kubectl.close();
	for (const loop of loops) await loop.stop();
	await stores.stop();
	client.close();
	await ours.close();
	await real.stop();
});

test.each(rows.map((row, index) => [row[0], index] as const))(
	"%s",
	async (_, index) => {
		const row = rows[index];
		if (!row) throw new Error(`no row ${index}`);
		const namespace = `row-${index}`;
		const [expected, answered] = await Promise.all(
			sides.map((side) => play(side, row, namespace)),
		);
		expect(answered).toEqual(expected);
	},
	60_000,
);

test("get -w shows a Service come, get its address, and go", async () => {
	const [expected, answered] = await Promise.all(
		sides.map(async ({ kubectl, endpoint: server }) => {
			const path = "/api/v1/namespaces/default/services";
			const json = { "content-type": "application/json" };
			const child = kubectl.start([
				...["get", "svc", "--watch-only", "--output-watch-events"],
				...["--no-headers", "-l", "watched"],
			]);
			const lines = createInterface({ input: child.stdout as Readable });
			const next = lines[Symbol.asyncIterator]();
			const line = async () => {
				const { value } = (await next.next()) as { value: string };
				const [event, name, type, , external] = value.split(/ +/);
				return { event, name, type, external };
			};
			// A watch says nothing until something happens: what is created is created again until it is seen.
			const first = line();
			let seen = false;
			void first.then(() => (seen = true));
			const body = JSON.stringify({
				metadata: { name: "watched", labels: { watched: "" } },
				spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
			});
			await server.call("POST", path, body, json);
			while (!seen) {
				await server.call(
					"PATCH",
					`${path}/watched`,
					JSON.stringify({
						metadata: { annotations: { at: `${performance.now()}` } },
					}),
					{ "content-type": "application/merge-patch+json" },
				);
			}
			await first;
			await server.call(
				"PATCH",
				`${path}/watched/status`,
				JSON.stringify({
					status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } },
				}),
				{ "content-type": "application/merge-patch+json" },
			);
			let shown = await line();
			while (shown.external === "<pending>") shown = await line();
			await server.call("DELETE", `${path}/watched`, undefined, {});
			const gone = await line();
			child.kill("SIGINT");
			await once(child, "close");
			return [shown, gone];
		}),
	);
	expect(answered).toEqual(expected);
	expect(expected).toEqual([
		{
			event: "MODIFIED",
			name: "watched",
			type: "LoadBalancer",
			external: "203.0.113.7",
		},
		{
			event: "DELETED",
			name: "watched",
			type: "LoadBalancer",
			external: "203.0.113.7",
		},
	]);
}, 30_000);

test("the sandbox's kinds, and no others, are listed as a real cluster lists them", async () => {
	const [theirs = [], mine = []] = await Promise.all(
		sides.map(async ({ kubectl }) => {
			const { stdout } = await kubectl.run([
				...["api-resources", "-o", "wide", "--no-headers"],
			]);
			return stdout
				.trim()
				.split("\n")
				.map((line) => line.replace(/ +/g, " ").trim());
		}),
	);
	expect(mine.length).toBeGreaterThan(15);
	for (const line of mine) expect(theirs).toContain(line);
});
