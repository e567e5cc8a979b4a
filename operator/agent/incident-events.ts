import type { EventRecorder } from "../cluster/events.ts";
import { resources } from "../cluster/kube.ts";
import type { AgentIncident } from "./rules/incidents.ts";
import type { AgentStores } from "./stores.ts";

/** Tells incidents of a node as events about the Service they concern, or else about the node. */
export function incidentEvents(
	node: string,
	stores: Pick<AgentStores, "services" | "nodes">,
	events: EventRecorder,
): (incident: AgentIncident) => void {
	return ({ reason, note, service }) => {
		const facts = {
			type: "Warning",
			reason,
			action: "SyncRules",
			note: `node ${node}: ${note}`,
		} as const;
		const about =
			service === undefined ? undefined : stores.services.get(service);
		const here = stores.nodes.get(node);
		if (about) events.record(resources.services, about, facts);
		else if (here) events.record(resources.nodes, here, facts);
	};
}
