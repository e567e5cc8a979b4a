import type { Lease, Pod, Service } from "../api/core.ts";
import type { NodePortPool } from "../api/fairlead.ts";
import type { KubeObject } from "../api/meta.ts";
import { agentLease } from "../api/names.ts";
import { isFairleadError } from "../errors.ts";
import { reportOf } from "../model/agent-report.ts";
import type { NodeFacts } from "../model/nodeports/conflicts.ts";
import { hostPortsOf, trimPod } from "../model/nodeports/host-ports.ts";
import { type KubeClient, type Resource, resources } from "./kube.ts";
import { listAll } from "./list-all.ts";

/** All that says how the NodePorts of a cluster are used. */
export interface NodePortsView {
	services: Service[];
	pools: NodePortPool[];
	namespaceLabels: Map<string, Record<string, string>>;
	facts: NodeFacts[];
	/** Where the facts come from: `agents` know of sockets and the kernel too, `pods` of hostPorts alone. */
	factsFrom: "agents" | "pods";
	/** Plurals of what could not be read, with a sentence each. */
	unread: { what: string; why: string }[];
}

const pageSize = 500;

/**
 * Reads once, in pages. Only Services must be readable; pods are read where no agent reports ports, each reduced to its
 * hostPorts as it arrives.
 */
export async function readNodePorts(
	client: Pick<KubeClient, "list">,
	{ namespace, signal }: { namespace: string; signal: AbortSignal },
): Promise<NodePortsView> {
	const unread: NodePortsView["unread"] = [];
	const read = async <T extends KubeObject>(
		resource: Resource,
		trim: (object: T) => T,
		scope: { namespace?: string; labelSelector?: string } = {},
	): Promise<T[]> => {
		try {
			return (
				await listAll<T>(client, resource, scope, { pageSize, trim, signal })
			).objects;
		} catch (error) {
			if (resource === resources.services || !isFairleadError(error))
				throw error;
			if (!isFairleadError(error, "KubeNotFound", "KubeForbidden")) throw error;
			unread.push({ what: resource.plural, why: error.message });
			return [];
		}
	};
	const whole = <T>(object: T) => object;
	const [services, pools, namespaces, leases] = await Promise.all([
		read<Service>(resources.services, whole),
		read<NodePortPool>(resources.nodePortPools, whole),
		read(resources.namespaces, whole),
		read<Lease>(resources.leases, whole, {
			namespace,
			labelSelector: `${agentLease.label}=${agentLease.labelValue}`,
		}),
	]);
	const reports = leases
		.map(reportOf)
		.filter((report) => report?.ports !== undefined);
	const facts: NodeFacts[] = reports.flatMap((report) =>
		report ? [report] : [],
	);
	const view = {
		services,
		pools,
		namespaceLabels: new Map(
			namespaces.map(({ metadata }) => [metadata.name, metadata.labels ?? {}]),
		),
		unread,
	};
	if (facts.length > 0) return { ...view, facts, factsFrom: "agents" };
	const pods = await read<Pod>(resources.pods, trimPod);
	return { ...view, facts: factsOfPods(pods), factsFrom: "pods" };
}

function factsOfPods(pods: readonly Pod[]): NodeFacts[] {
	const byNode = new Map<string, NonNullable<NodeFacts["ports"]>>();
	for (const pod of pods) {
		const { nodeName } = pod.spec;
		const hostPorts = hostPortsOf(pod);
		if (nodeName === undefined || hostPorts.length === 0) continue;
		const known = byNode.get(nodeName)?.hostPorts ?? [];
		byNode.set(nodeName, { hostPorts: [...known, ...hostPorts] });
	}
	return [...byNode].map(([node, ports]) => ({ node, ports }));
}
