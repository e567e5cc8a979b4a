import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
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
