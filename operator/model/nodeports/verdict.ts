import type { Service } from "../../api/core.ts";
import type { NodePortConflict } from "../../api/fairlead.ts";
import { conditions } from "../../api/names.ts";
import type { Verdict } from "../conditions.ts";
import { describeConflict, list } from "./conflicts.ts";
import type { PortPlan } from "./plan.ts";
import { portKey, protocolOf } from "./request.ts";

/** Why a Service's NodePorts are not as they should be, beyond what the plan says. */
export interface PortTrouble {
	reason:
		| "SetBySomebodyElse"
		| "KeptByManifest"
		| "Contested"
		| "PortTaken"
		| "Refused";
	message: string;
}

/**
 * Condition fairlead.dev/NodePorts of a Service; undefined when there is nothing to say, since nobody asked for ports and
 * nothing clashes. `clashes`: of the ports it has, one node or several.
 */
export function nodePortsVerdict(
	service: Service,
	plan: PortPlan,
	trouble: PortTrouble | undefined,
	clashes: readonly NodePortConflict[],
): Verdict | undefined {
	const type = conditions.nodePorts;
	if (trouble) return { type, status: "False", ...trouble };
	if (plan.kind === "Refused")
		return {
			type,
			status: "False",
			reason: plan.reason,
			message: plan.message,
		};
	const [first] = clashes;
	if (first)
		return {
			type,
			status: "False",
			reason: first.kind,
			message: `traffic to this NodePort may not arrive: ${list(clashes.map(describeConflict))}`,
		};
	if (plan.kind === "None") return undefined;
	const from =
		plan.pool === undefined ? "as asked" : `NodePortPool ${plan.pool}`;
	return {
		type,
		status: "True",
		reason: "Assigned",
		message: `${describePorts(service, plan.ports)} (${from})`,
	};
}

function describePorts(
	service: Service,
	ports: ReadonlyMap<string, number>,
): string {
	return (service.spec.ports ?? [])
		.flatMap((port) => {
			const nodePort = ports.get(portKey(port));
			return nodePort === undefined
				? []
				: [`${portKey(port)} ${nodePort}/${protocolOf(port)}`];
		})
		.join(", ");
}
