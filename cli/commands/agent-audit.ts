import { hostname } from "node:os";
import type { Registry } from "prom-client";
import { readKubeProxy } from "../../operator/agent/audit/kube-proxy.ts";
import { auditMetrics } from "../../operator/agent/audit/metrics.ts";
import {
	auditTimes,
	RulesAudit,
} from "../../operator/agent/audit/rules-audit.ts";
import { incidentEvents } from "../../operator/agent/incident-events.ts";
import {
	AgentLease,
	type AgentLeaseOptions,
} from "../../operator/agent/lease/agent-lease.ts";
import { startNodePortFacts } from "../../operator/agent/ports/start-node-port-facts.ts";
import {
	type AgentStores,
	startAgentStores,
} from "../../operator/agent/stores.ts";
import { sleep } from "../../operator/clock.ts";
import { EventRecorder } from "../../operator/cluster/events.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { ownNamespace } from "../../operator/kernel/namespaces.ts";
import type { Log } from "../../operator/log.ts";
import { startProbeServer } from "../../operator/probes/server.ts";
import type { agentFlags } from "../config.ts";
import type { FlagValues } from "../flags.ts";
import { table } from "../output/table.ts";
import { type Runtime, stopped } from "../runtime.ts";

/** Exit codes of `--once`: where it could not look, and where kube-proxy's rules are not what they should be. */
const unknown = 1;
const different = 3;

/** How long `--once` waits for all it needs of the cluster, in milliseconds. */
const clusterMs = 30_000;

export interface AuditContext {
	flags: FlagValues<typeof agentFlags>;
	runtime: Runtime;
	node: string;
	client: KubeClient;
	lease: Pick<AgentLeaseOptions, "client" | "namespace" | "instance">;
	registry: Registry;
	log: Log;
}

/** `fairlead agent --rules audit`: writes nothing to the kernel. Resolves with the exit code. */
export async function auditRules(context: AuditContext): Promise<number> {
	const { flags, runtime, node, client, log } = context;
	const { clock, random } = runtime;
	const stores = startAgentStores({ client, node, clock, random, log });
	const events = new EventRecorder({
		client,
		clock,
		random,
		log,
		instance: `${hostname()}-${node}`,
		controller: "fairlead.dev/agent",
	});
	const audit = new RulesAudit({
		node,
		stores,
		settings: {
			nodePortAddresses: flags["nodeport-addresses"],
			clusterCidrs: flags["cluster-cidr"],
			masqueradeAll: flags["masquerade-all"],
		},
		read: readKubeProxy,
		clock,
		log,
		tell: flags.once ? () => {} : incidentEvents(node, stores, events),
	});
	try {
		if (flags.once) return await once(context, stores, audit);
		await goOn(context, audit, stores);
		return 0;
	} finally {
		audit.stop();
		await events.flush(2_000);
		await stores.stop();
		client.close();
	}
}

async function once(
	context: AuditContext,
	stores: Pick<AgentStores, "synced" | "problems">,
	audit: RulesAudit,
): Promise<number> {
	const { runtime, log } = context;
	// Neither the clock's timers nor an API server that is tried again and again keep the process alive.
	const alive = setInterval(() => {}, 2 ** 30);
	try {
		await Promise.race([stores.synced, cannotRead(runtime, stores)]);
		await audit.look();
		// What kube-proxy is about to write is no finding.
		await sleep(runtime.clock, auditTimes.confirmMs, runtime.stop);
		await audit.look();
	} catch (error) {
		if (error !== runtime.stop.reason) throw error;
		log.warn("asked to stop before the audit had looked twice");
		return unknown;
	} finally {
		clearInterval(alive);
	}
	return print(context, audit);
}

/** Rejects in the end: what is waited for comes before, or there is no use in waiting. */
async function cannotRead(
	{ clock, stop }: Runtime,
	stores: Pick<AgentStores, "problems">,
): Promise<never> {
	await sleep(clock, clusterMs, stop);
	throw new FairleadError(
		"KubeUnreachable",
		`the cluster could not be read in ${clusterMs / 1000} s: ${stores.problems().join("; ")}`,
	);
}

function print({ flags, runtime }: AuditContext, audit: RulesAudit): number {
	const findings = [...audit.findings].sort(([a], [b]) => (a < b ? -1 : 1));
	if (flags.output === "json")
		runtime.stdout(JSON.stringify(Object.fromEntries(findings), null, 2));
	else if (findings.length === 0)
		runtime.stdout("kube-proxy's rules are what they should be.");
	else
		for (const line of table([
			["SERVICE", "KUBE-PROXY'S RULES"],
			...findings.flatMap(([service, sentences]) =>
				sentences.map((sentence) => [service || "-", sentence]),
			),
		]))
			runtime.stdout(line);
	return findings.length === 0 ? 0 : different;
}

async function goOn(
	context: AuditContext,
	audit: RulesAudit,
	stores: Pick<AgentStores, "nodes" | "problems">,
): Promise<void> {
	const { flags, runtime, node, client, lease, registry, log } = context;
	const { clock, random } = runtime;
	const ports = startNodePortFacts({
		client,
		node,
		namespace: ownNamespace,
		range: flags["node-port-range"],
		clock,
		random,
		log,
	});
	const report = new AgentLease({
		...lease,
		node,
		nodeUid: async () => stores.nodes.get(node)?.metadata.uid,
		report: () => ({
			node,
			rules: "audit",
			...(ports.facts && { ports: ports.facts }),
		}),
		clock,
		random,
		log,
	});
	ports.onChange(() => report.changed());
	const forgetNode = stores.nodes.onChange(({ type }) => {
		if (type === "added") report.nodeIsThere();
	});
	auditMetrics(registry, audit);
	const probes = await startProbeServer({
		host: flags["metrics-host"],
		port: flags["metrics-port"],
		metrics: registry,
		// What is found is no fault of the agent's.
		notReady: () => [
			...stores.problems(),
			...(audit.trouble === undefined ? [] : [audit.trouble]),
			...(report.trouble === undefined ? [] : [report.trouble]),
		],
	});
	report.start();
	audit.start();
	log.info(
		{ node, probes: probes.port },
		"the agent is running; it writes no rules and checks kube-proxy's",
	);
	await stopped(runtime);
	forgetNode();
	report.stop();
	await ports.end();
	await probes.close();
}
