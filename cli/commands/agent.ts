import { hostname } from "node:os";
import { collectDefaultMetrics, Registry } from "prom-client";
import { type Agent, startAgent } from "../../operator/agent/agent.ts";
import { incidentEvents } from "../../operator/agent/incident-events.ts";
import { agentMetrics } from "../../operator/agent/metrics.ts";
import { guardTimes } from "../../operator/agent/rules/keep-guard.ts";
import { AgentLease } from "../../operator/agent/lease/agent-lease.ts";
import { startNodePortFacts } from "../../operator/agent/ports/start-node-port-facts.ts";
import { startAgentStores } from "../../operator/agent/stores.ts";
import type { Node } from "../../operator/api/core.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { EventRecorder } from "../../operator/cluster/events.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { FairleadError, isFairleadError } from "../../operator/errors.ts";
import { ownNamespace } from "../../operator/kernel/namespaces.ts";
import {
	NftablesBackend,
	type NftablesOptions,
} from "../../operator/kernel/nftables/backend.ts";
import { listenOnNode } from "../../operator/probes/listen.ts";
import { startProbeServer } from "../../operator/probes/server.ts";
import type { agentFlags } from "../config.ts";
import type { FlagValues } from "../flags.ts";
import { connectionSources } from "../kube.ts";
import { type Runtime, stopped } from "../runtime.ts";

export async function agent(
	flags: FlagValues<typeof agentFlags>,
	runtime: Runtime,
): Promise<number> {
	const { clock, random } = runtime;
	const log = await runtime.createLog(flags["log-level"]);
	if (flags.cleanup) {
		const backend = openRules();
		backend.remove();
		backend.close();
		log.info("Fairlead's rules are gone from this node");
		return 0;
	}
	const { node } = flags;
	if (node === undefined)
		throw new FairleadError(
			"FlagInvalid",
			"--node is missing: the name of this machine's Node object",
		);
	if (flags.once && flags.rules !== "audit")
		throw new FairleadError(
			"FlagInvalid",
			"--once goes with --rules audit: the other modes keep rules for as long as they run",
		);
	const registry = new Registry();
	collectDefaultMetrics({ register: registry });
	const mode =
		flags.rules === "full" || flags.rules === "balancers"
			? flags.rules
			: undefined;
	const backend =
		mode &&
		openRules(
			mode === "balancers" ? { guardMs: guardTimes.timeoutMs } : undefined,
		);
	const connection = await loadConnection(
		connectionSources(flags, runtime, log),
	);
	const client = createKubeClient(connection, {
		clock,
		log,
		userAgent: "fairlead-agent",
	});
	const lease = {
		client,
		namespace: flags.namespace,
		instance: `${hostname()}_${Math.floor(random() * 2 ** 32).toString(16)}`,
	};
	if (flags.rules === "audit") {
		const { auditRules } = await import("./agent-audit.ts");
		const context = { flags, runtime, node, client, lease, registry, log };
		return auditRules(context);
	}
	const ports = startNodePortFacts({
		client,
		node,
		namespace: ownNamespace,
		range: flags["node-port-range"],
		clock,
		random,
		log,
	});
	if (!backend) {
		const report = new AgentLease({
			...lease,
			node,
			nodeUid: () => nodeUid(client, node),
			report: () => ({
				node,
				rules: "off",
				...(ports.facts && { ports: ports.facts }),
			}),
			clock,
			random,
			log,
		});
		ports.onChange(() => report.changed());
		const probes = await startProbeServer({
			host: flags["metrics-host"],
			port: flags["metrics-port"],
			metrics: registry,
			notReady: () => (report.trouble === undefined ? [] : [report.trouble]),
		});
		report.start();
		log.info(
			{ node, server: connection.server.href, probes: probes.port },
			"the agent is running; rules are off",
		);
		await stopped(runtime);
		report.stop();
		await ports.end();
		client.close();
		await probes.close();
		return 0;
	}
	const stores = startAgentStores({ client, node, clock, random, log });
	const events = new EventRecorder({
		client,
		clock,
		random,
		log,
		instance: `${hostname()}-${node}`,
		controller: "fairlead.dev/agent",
	});
	// Beside kube-proxy it is kube-proxy that answers there.
	const healthz =
		flags["healthz-address"] ??
		(mode === "full" ? { host: "0.0.0.0", port: 10_256 } : undefined);
	let role: Agent | undefined;
	const probes = await startProbeServer({
		host: flags["metrics-host"],
		port: flags["metrics-port"],
		metrics: registry,
		notReady: () => role?.notReady() ?? ["the agent is starting"],
	});
	role = await startAgent({
		node,
		stores,
		backend,
		settings: {
			nodePortAddresses: flags["nodeport-addresses"],
			clusterCidrs: flags["cluster-cidr"],
			masqueradeAll: flags["masquerade-all"],
			mode,
		},
		listen: listenOnNode,
		...(healthz && {
			healthCheckAddress: healthz.host,
			healthz: { address: healthz.host, port: healthz.port },
		}),
		clock,
		random,
		log,
		metrics: agentMetrics(registry),
		tell: incidentEvents(node, stores, events),
		lease,
		nodePortFacts: ports,
	});
	log.info(
		{ node, server: connection.server.href, probes: probes.port },
		"the agent is running",
	);
	void role.synced.then(() => log.info("the rules reflect the cluster"));
	await stopped(runtime);
	log.info("stopping; the rules stay in place");
	role.stop();
	await events.flush(2_000);
	await stores.stop();
	await ports.end();
	client.close();
	await probes.close();
	return 0;
}

async function nodeUid(
	client: KubeClient,
	name: string,
): Promise<string | undefined> {
	try {
		return (await client.get<Node>(resources.nodes, { name })).metadata.uid;
	} catch (error) {
		if (isFairleadError(error, "KubeNotFound")) return undefined;
		throw error;
	}
}

/** Throws KernelDenied, KernelUnsupported. */
function openRules(options?: NftablesOptions): NftablesBackend {
	try {
		return new NftablesBackend(ownNamespace, options);
	} catch (error) {
		if (!isFairleadError(error, "KernelDenied")) throw error;
		throw new FairleadError(
			"KernelDenied",
			`the agent needs CAP_NET_ADMIN on its node: ${error.message}`,
			{ cause: error },
		);
	}
}
