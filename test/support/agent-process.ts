import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { Fairlead } from "./fairlead.ts";
import { diesWithUs } from "./dies-with-us.ts";

/** `fairlead agent` of a node as a process of its own in a namespace. */
export interface AgentProcess {
	readonly process: Fairlead;
	/** The rules reflect what the API server had at the start; rejects with its log if it ends before. */
	readonly synced: Promise<void>;
}

/** `kubeconfig` must hold in the namespace: see `apiInNamespace`. */
export function startAgentProcess(options: {
	namespace: NetworkNamespace;
	node: string;
	kubeconfig: string;
	args?: readonly string[];
}): AgentProcess {
	const { namespace, node, kubeconfig, args = [] } = options;
	const process = namespace.run(
		() =>
			new Fairlead(
				[
					"agent",
					...["--node", node, "--kubeconfig", kubeconfig],
					...["--metrics-port", "0", ...args],
				],
				{},
				diesWithUs,
			),
	);
	const synced = process
		.logged(({ msg }) => msg === "the rules reflect the cluster")
		.then(() => undefined);
	// Whoever awaits it hears of a failure; whoever does not need not.
	synced.catch(() => {});
	return { process, synced };
}
