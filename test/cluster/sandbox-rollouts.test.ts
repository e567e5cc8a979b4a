import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { systemClock } from "../../operator/clock.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { startControllers } from "../../sandbox/controllers/index.ts";
import { startStandInKubelet } from "../../sandbox/controllers/test-stand-in-kubelet.ts";
import { startTestCluster } from "../../sandbox/test-cluster.ts";
import { binariesFolder } from "../support/cluster-binaries.ts";
import { quietLog } from "../support/quiet-log.ts";

// What a user does to a Deployment with the real kubectl, on the sandbox's API server and controllers.

const run = promisify(execFile);
const undo: (() => unknown)[] = [];
let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "fairlead-rollouts-"));
	undo.push(() => rm(folder, { recursive: true }));
	const log = quietLog();
	const cluster = await startTestCluster(log);
	undo.push(() => cluster.close());
	await writeFile(join(folder, "kubeconfig"), cluster.server.kubeconfig());
	const { client, stores, server } = cluster;
	const controllers = startControllers({
		client,
		stores,
		clock: systemClock,
		random: Math.random,
		log,
		rootCa: server.ca,
	});
	undo.push(() => controllers.stop());
	for (const name of ["node-1", "node-2"])
		await client.create(resources.nodes, {
			metadata: { name },
			status: { conditions: [{ type: "Ready", status: "True" }] },
		} as object as { metadata: { name: string } });
	const kubelet = startStandInKubelet(cluster, log);
	undo.push(() => kubelet.stop());
}, 60_000);

afterAll(async () => {
	for (const each of undo.reverse()) await each();
}, 60_000);

/** What kubectl says; throws when it fails. */
async function kubectl(command: string): Promise<string> {
	const { stdout } = await run(
		join(binariesFolder(["kubectl"]), "kubectl"),
		command.split(" "),
		{
			env: { HOME: folder, KUBECONFIG: join(folder, "kubeconfig") },
			timeout: 30_000,
		},
	);
	return stdout;
}

test.each<[string, string, string | RegExp]>([
	[
		"creates a Deployment",
		"create deployment web --image=i:1 --replicas=3 --port=8080",
		"deployment.apps/web created\n",
	],
	[
		"waits for its rollout",
		"rollout status deployment web --timeout=20s",
		/deployment "web" successfully rolled out\n$/,
	],
	[
		"waits for a condition",
		"wait deployment web --for=condition=Available --timeout=20s",
		"deployment.apps/web condition met\n",
	],
	["shows it", "get deployment web --no-headers", /^web +3\/3 +3 +3 +\d+s\n$/],
	[
		"exposes it",
		"expose deployment web --port=80 --target-port=8080",
		"service/web exposed\n",
	],
	[
		"waits for the Service's Endpoints",
		"wait endpoints web --for=create --timeout=20s",
		"endpoints/web condition met\n",
	],
	[
		"waits for their addresses",
		"wait endpoints web --for=jsonpath={.subsets[0].addresses[2].ip} --timeout=20s",
		"endpoints/web condition met\n",
	],
	[
		"shows where the Service leads",
		"describe service web",
		/Endpoints: +10\.244\.\d+\.\d+:8080,10\.244\.\d+\.\d+:8080,10\.244\.\d+\.\d+:8080\n/,
	],
	[
		"shows its Endpoints",
		"get endpoints web --no-headers",
		/^web +10\.244\.\d+\.\d+:8080,/,
	],
	[
		"sets another image",
		"set image deployment web i=i:2",
		"deployment.apps/web image updated\n",
	],
	[
		"waits for the second rollout",
		"rollout status deployment web --timeout=20s",
		/successfully rolled out\n$/,
	],
	[
		"shows its history",
		"rollout history deployment web",
		/REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>\n/,
	],
	[
		"undoes the second rollout",
		"rollout undo deployment web",
		"deployment.apps/web rolled back\n",
	],
	[
		"waits for the first template to be back",
		"rollout status deployment web --timeout=20s",
		/successfully rolled out\n$/,
	],
	[
		"finds the first image there again",
		"get deployment web -o=jsonpath={.spec.template.spec.containers[0].image}",
		"i:1",
	],
	[
		"shows the revisions as they are now",
		"rollout history deployment web",
		/\n2 +<none>\n3 +<none>\n/,
	],
	[
		"restarts it",
		"rollout restart deployment web",
		"deployment.apps/web restarted\n",
	],
	[
		"waits for the restart",
		"rollout status deployment web --timeout=20s",
		/successfully rolled out\n$/,
	],
	[
		"scales it",
		"scale deployment web --replicas=1",
		"deployment.apps/web scaled\n",
	],
	[
		"waits until it is scaled",
		"rollout status deployment web --timeout=20s",
		/rolled out\n$/,
	],
	["pauses it", "rollout pause deployment web", "deployment.apps/web paused\n"],
	[
		"changes nothing while it is paused",
		"set image deployment web i=i:3",
		"deployment.apps/web image updated\n",
	],
	[
		"resumes it",
		"rollout resume deployment web",
		"deployment.apps/web resumed\n",
	],
	[
		"waits for the last rollout",
		"rollout status deployment web --timeout=20s",
		/rolled out\n$/,
	],
	[
		"says what happened",
		"describe deployment web",
		/Conditions:\n +Type +Status +Reason\n +-+ +-+ +-+\n +Available +True +MinimumReplicasAvailable\n +Progressing +True +NewReplicaSetAvailable\n[^]*ScalingReplicaSet +\S+ +deployment-controller +Scaled up replica set web-\w+ from 0 to 3\n/,
	],
	[
		"deletes it with all its pods",
		"delete deployment web --cascade=foreground --timeout=20s",
		'deployment.apps "web" deleted from default namespace\n',
	],
	["finds no pod any more", "get pods -o=name", ""],
])(
	"kubectl %s",
	async (_, command, expected) => {
		const said = await kubectl(command);
		if (typeof expected === "string") expect(said).toBe(expected);
		else expect(said).toMatch(expected);
	},
	40_000,
);
