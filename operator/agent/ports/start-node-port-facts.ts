import type { Pod } from "../../api/core.ts";
import type { Clock } from "../../clock.ts";
import { Store } from "../../cluster/index.ts";
import { type KubeClient, resources } from "../../cluster/kube.ts";
import { Reflector } from "../../cluster/reflector.ts";
import type { NetworkNamespace } from "../../kernel/namespaces.ts";
import type { Log } from "../../log.ts";
import { trimPod } from "../../model/nodeports/host-ports.ts";
import type { PortRange } from "../../model/nodeports/port-range.ts";
import { NodePortFactsReader } from "./node-port-facts.ts";

export interface StartNodePortFactsOptions {
	client: Pick<KubeClient, "list" | "watch">;
	node: string;
	/** The node's own. */
	namespace: NetworkNamespace;
	/** The API server's NodePorts. */
	range: PortRange;
	clock: Clock;
	/** In [0, 1). */
	random: () => number;
	log: Log;
}

/**
 * Starts to look at what on a node may clash with NodePorts. Nothing waits for it: an agent that may not read pods works,
 * and reports no hostPorts.
 */
export function startNodePortFacts(
	options: StartNodePortFactsOptions,
): NodePortFactsReader & { end(): Promise<void> } {
	const { client, node, namespace, range, clock, random, log } = options;
	const pods = new Store<Pod>({
		clock,
		log: log.child({ resource: "pods" }),
		trim: trimPod,
	});
	const reflector = new Reflector<Pod>({
		client,
		resource: resources.pods,
		fieldSelector: `spec.nodeName=${node}`,
		store: pods,
		clock,
		random,
		log,
	});
	const reader = new NodePortFactsReader({
		namespace,
		pods,
		range,
		clock,
		log,
	});
	reflector.start();
	void reader.start();
	return Object.assign(reader, {
		async end() {
			reader.stop();
			await reflector.stop();
		},
	});
}
