import { hostname } from "node:os";
import { setFlagsFromString } from "node:v8";
import { collectDefaultMetrics, Registry } from "prom-client";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { Controller } from "../../operator/controller/controller.ts";
import { startProbeServer } from "../../operator/probes/server.ts";
import type { controllerFlags } from "../config.ts";
import { milliseconds } from "../flag-values.ts";
import type { FlagValues } from "../flags.ts";
import { connectionSources } from "../kube.ts";
import { type Runtime, stopped } from "../runtime.ts";

export async function controller(
	flags: FlagValues<typeof controllerFlags>,
	runtime: Runtime,
): Promise<void> {
	const { clock, random } = runtime;
	// A cache is long-lived memory: V8 would let it grow to several times its size before it collects.
	setFlagsFromString("--heap-growing-percent=60");
	const log = await runtime.createLog(flags["log-level"]);
	const connection = await loadConnection(
		connectionSources(flags, runtime, log),
	);
	const metrics = new Registry();
	collectDefaultMetrics({ register: metrics });
	const client = createKubeClient(connection, {
		clock,
		log,
		userAgent: "fairlead-controller",
	});
	const role = new Controller({
		client,
		clock,
		random,
		log,
		metrics,
		identity: `${hostname()}_${Math.floor(random() * 2 ** 32).toString(16)}`,
		namespace: flags.namespace,
		leaseNamespace: flags["leader-elect"] ? flags.namespace : undefined,
		nodePortRange: flags["node-port-range"],
		clusterId: flags["cluster-id"],
		workers: flags.workers,
		auditSchedule: flags["audit-schedule"],
		orphans: {
			delete: flags["delete-orphans"],
			graceMs: milliseconds(flags["orphan-grace"]),
			confirmed: flags["confirm-orphans"],
		},
	});
	const probes = await startProbeServer({
		host: flags["metrics-host"],
		port: flags["metrics-port"],
		metrics,
		notReady: () => role.notReady(),
	});
	log.info(
		{ server: connection.server.href, probes: probes.port },
		"the controller is running",
	);
	role.start();
	await stopped(runtime);
	log.info("stopping: finishing what runs");
	await role.stop();
	await probes.close();
}
