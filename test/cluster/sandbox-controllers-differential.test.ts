import { randomBytes } from "node:crypto";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import {
	type ApiServer,
	startApiServer,
} from "../../sandbox/apiserver/start.ts";
import { startDeployments } from "../../sandbox/controllers/deployments.ts";
import { startEndpointMirroring } from "../../sandbox/controllers/endpoint-mirroring.ts";
import { startEndpointSlices } from "../../sandbox/controllers/endpoint-slices.ts";
import { startEndpoints } from "../../sandbox/controllers/endpoints.ts";
import { addIndexes } from "../../sandbox/controllers/indexes.ts";
import type { Loop } from "../../sandbox/controllers/loop.ts";
import { startReplicaSets } from "../../sandbox/controllers/replica-sets.ts";
import { startServiceAccounts } from "../../sandbox/controllers/service-accounts.ts";
import { startStores, type Stores } from "../../sandbox/stores.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { plainConnection } from "../support/connection.ts";
import { quietLog } from "../support/quiet-log.ts";
import { type Endpoint, endpoint } from "./apiserver-play.ts";
import { serviceScenarios } from "./controllers-service-scenarios.ts";
import { workloadScenarios } from "./controllers-workload-scenarios.ts";
import { nodes, send, TwoWorlds } from "./controllers-world.ts";

// The sandbox's controllers do as kube-controller-manager does: the same objects and the same pods, the same endpoints,
// ReplicaSets and statuses. Pods are bound and report as the test says, on both sides.

const scenarios = [...serviceScenarios, ...workloadScenarios];
const serviceCidrs = ["10.96.0.0/16", "fd00:10:96::/112"];
const log = quietLog();

let real: Cluster;
let ours: ApiServer;
let client: KubeClient;
let stores: Stores;
let loops: Loop[];
let sides: Endpoint[];

beforeAll(async () => {
	real = await startCluster({
		dualStack: true,
		controllerManager: true,
		// Nobody sends heartbeats for the nodes.
		controllerManagerArgs: ["--controllers=*,-node-lifecycle-controller"],
		apiServerArgs: ["--disable-admission-plugins=TaintNodesByCondition"],
	});
	ours = await startApiServer({
		host: "127.0.0.1",
		port: 0,
		serviceCidrs,
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
		startEndpointMirroring(whole),
		startServiceAccounts({ ...whole, rootCa: ours.ca }),
	];
	const onReal = endpoint(real.server, real.ca, real.adminToken);
	const onOurs = endpoint(ours.url, ours.ca, ours.adminToken);
	sides = [onReal, onOurs];
	for (const side of sides)
		for (const name of nodes)
			await send(side, "POST", "/api/v1/nodes", {
				metadata: {
					name,
					labels: { "topology.kubernetes.io/zone": `zone-of-${name}` },
				},
			});
}, 120_000);

afterAll(async () => {
	for (const loop of loops) await loop.stop();
	await stores.stop();
	client.close();
	await ours.close();
	await real.stop();
}, 60_000);

test.each(scenarios.map(([name], index) => [name, index] as const))(
	"%s",
	async (_, index) => {
		const scenario = scenarios[index];
		if (!scenario) throw new Error(`no scenario ${index}`);
		const worlds = new TwoWorlds(sides, `scenario-${index}`);
		await worlds.open();
		await scenario[1](worlds);
	},
	120_000,
);

test("the controllers complained of nothing", () => {
	const complaints = log.lines.filter(
		({ level }) => level === "warn" || level === "error",
	);
	expect(complaints).toEqual([]);
});
