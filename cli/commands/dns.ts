import { collectDefaultMetrics, Registry } from "prom-client";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { startDns } from "../../operator/dns/server.ts";
import { FairleadError } from "../../operator/errors.ts";
import { startProbeServer } from "../../operator/probes/server.ts";
import type { dnsFlags } from "../config.ts";
import type { FlagValues } from "../flags.ts";
import { connectionSources } from "../kube.ts";
import { type Runtime, stopped } from "../runtime.ts";

export async function dns(
	flags: FlagValues<typeof dnsFlags>,
	runtime: Runtime,
): Promise<void> {
	const { clock, random } = runtime;
	const externalZone = flags["external-zone"];
	if (externalZone === flags.zone)
		throw new FairleadError(
			"FlagInvalid",
			`--external-zone "${externalZone}": must be another zone than the cluster's`,
		);
	const log = await runtime.createLog(flags["log-level"]);
	const connection = await loadConnection(
		connectionSources(flags, runtime, log),
	);
	const metrics = new Registry();
	collectDefaultMetrics({ register: metrics });
	const client = createKubeClient(connection, {
		clock,
		log,
		userAgent: "fairlead-dns",
	});
	const { upstream, address } = flags;
	const server = await startDns({
		cluster: { client },
		listen: flags.listen,
		zone: flags.zone,
		pods: flags.pods,
		ttl: flags.ttl,
		...(externalZone === undefined ? {} : { externalZone }),
		...(upstream === undefined ? {} : { upstreams: upstream }),
		...(address === undefined ? {} : { addresses: address }),
		clock,
		random,
		log,
		metrics,
	});
	const probes = await startProbeServer({
		host: flags["metrics-host"],
		port: flags["metrics-port"],
		metrics,
		notReady: () => server.notReady(),
	});
	log.info(
		{
			server: connection.server.href,
			listen: server.addresses,
			probes: probes.port,
		},
		"the DNS server is running",
	);
	await stopped(runtime);
	log.info("stopping: answering what is under way");
	await server.close();
	await probes.close();
	client.close();
}
