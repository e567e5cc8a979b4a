import type { Service } from "../../api/core.ts";
import type { BalancerClass } from "../../api/fairlead.ts";
import type { Condition } from "../../api/meta.ts";
import { conditions, finalizers } from "../../api/names.ts";
import { finalizerOf, holdingOf } from "../holding.ts";
import { ingressIsOurs } from "../ingress.ts";
import { providerTraits } from "../provider-traits.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { controllersTurn } from "./controller-turn.ts";
import type { StepName, StepReport } from "./explanation.ts";

/** The steps between having an address and showing it: what the controller has written, and what it has not. */

export function conditionOf(
	{ status }: Service,
	type: string,
): Condition | undefined {
	return status?.conditions?.find((each) => each.type === type);
}

export function guardStep(
	service: Service,
	found: BalancerClass,
	facts: ClusterFacts,
): StepReport {
	const { metadata, spec } = found;
	if (!metadata.finalizers?.includes(finalizers.classInUse))
		return controllersTurn(
			"Guard",
			`put finalizer ${finalizers.classInUse} on BalancerClass ${metadata.name}`,
			service,
			facts,
		);
	if (!providerTraits[spec.provider]?.needsUndo)
		return {
			step: "Guard",
			state: "Skipped",
			reason: "NothingToGuard",
			message: `provider ${spec.provider} makes nothing outside the cluster`,
		};
	const finalizer = finalizerOf(service);
	const holding = holdingOf(service);
	const guarded =
		service.metadata.finalizers?.includes(finalizer) &&
		holding?.className === metadata.name;
	return guarded
		? {
				step: "Guard",
				state: "Done",
				reason: "Guarded",
				message: `finalizer ${finalizer}; held by class ${metadata.name}`,
			}
		: controllersTurn(
				"Guard",
				`put finalizer ${finalizer} and the record of class ${metadata.name} on the Service`,
				service,
				facts,
			);
}

export function providerStep(
	service: Service,
	{ metadata, spec }: BalancerClass,
	facts: ClusterFacts,
): StepReport {
	const step = "Provider";
	const written = conditionOf(service, conditions.provisioned);
	if (written?.status === "True")
		return {
			step,
			state: "Done",
			reason: written.reason,
			message: written.message,
		};
	if (written && written.reason !== "Provisioning")
		return {
			step,
			// A balancer that lost a node or a port still carries the rest.
			state: isPartial(written) && hasIngress(service) ? "Notice" : "Blocked",
			reason: written.reason,
			message: written.message,
		};
	const bare = (
		spec.provider === "HetznerCloud" ? (service.spec.ports ?? []) : []
	).filter(({ nodePort }) => !nodePort);
	if (bare.length > 0)
		return {
			step,
			state: "Blocked",
			reason: "NodePortMissing",
			message: `provider ${spec.provider} sends traffic to NodePorts, and ${bare.map(({ port, protocol = "TCP" }) => `port ${port}/${protocol}`).join(", ")} has none`,
		};
	if (written && facts.snapshot.controller.state === "Running")
		return {
			step,
			state: "Blocked",
			reason: "Provisioning",
			message: written.message,
		};
	return controllersTurn(
		step,
		`have the balancer made (class ${metadata.name})`,
		service,
		facts,
	);
}

function isPartial({ reason }: Condition): boolean {
	return reason === "PortsRefused" || reason === "TargetsRefused";
}

export function programmedStep(service: Service): StepReport {
	const step = "Programmed";
	const written = conditionOf(service, conditions.programmed);
	if (!written || written.status === "Unknown")
		return {
			step,
			state: "Skipped",
			reason: written?.reason ?? "NoAgents",
			message:
				written?.message ?? "nobody has said what the nodes have programmed",
		};
	const { reason, message } = written;
	if (written.status === "True")
		return { step, state: "Done", reason, message };
	return {
		step,
		state: hasIngress(service) ? "Notice" : "Blocked",
		reason,
		message,
	};
}

export function ingressStep(service: Service, facts: ClusterFacts): StepReport {
	const step = "Ingress";
	const ingress = service.status?.loadBalancer?.ingress ?? [];
	if (ingress.length === 0)
		return controllersTurn(
			step,
			"write the address into status.loadBalancer.ingress",
			service,
			facts,
		);
	const shown = ingressText(service);
	if (!ingressIsOurs(service))
		return {
			step,
			state: "Notice",
			reason: "ForeignIngress",
			message: `status.loadBalancer.ingress shows ${shown}, which Fairlead did not write: another controller serves this Service too`,
		};
	const bad = ingress.flatMap(({ ports = [] }) =>
		ports.filter(({ error }) => error !== undefined),
	);
	if (bad.length > 0)
		return {
			step,
			state: "Notice",
			reason: "PortsRefused",
			message: `${shown}, without ${[...new Set(bad.map(({ port, protocol, error }) => `port ${port}/${protocol} (${error})`))].join(", ")}`,
		};
	return { step, state: "Done", reason: "IngressWritten", message: shown };
}

/** Ingress addresses and names, for people. */
export function ingressText({ status }: Service): string {
	return (status?.loadBalancer?.ingress ?? [])
		.map(({ ip, hostname }) => ip ?? hostname ?? "?")
		.join(", ");
}

export function hasIngress({ status }: Service): boolean {
	return (status?.loadBalancer?.ingress ?? []).length > 0;
}

/** What other parts of Fairlead say of the Service, where they say anything. */
export function furtherSteps(service: Service): StepReport[] {
	const further: [StepName, string][] = [
		["ExternalIPs", conditions.externalIPs],
		["NodePorts", conditions.nodePorts],
	];
	return further.flatMap(([step, type]) => {
		const written = conditionOf(service, type);
		if (!written) return [];
		const { status, reason, message } = written;
		return {
			step,
			state: status === "True" ? ("Done" as const) : ("Notice" as const),
			reason,
			message,
		};
	});
}
