import type { Service } from "../../api/core.ts";
import { conditions, finalizers } from "../../api/names.ts";
import { holdingOf } from "../holding.ts";
import { providerTraits } from "../provider-traits.ts";
import type { ProviderName } from "../../api/fairlead.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { controllersTurn } from "./controller-turn.ts";
import type { StepReport } from "./explanation.ts";
import { conditionOf } from "./steps.ts";

/** The finalizer by which we hold the Service: the shared one is ours only where we recorded that we hold something. */
export function ownFinalizer(service: Service): string | undefined {
	const present = service.metadata.finalizers ?? [];
	if (present.includes(finalizers.classed)) return finalizers.classed;
	const provider = holdingOf(service)?.provider as ProviderName | undefined;
	const guarded = provider && providerTraits[provider]?.needsUndo;
	return guarded && present.includes(finalizers.classless)
		? finalizers.classless
		: undefined;
}

/** What is left to do for a Service that is being deleted, or that left us while we hold something for it. */
export function leavingSteps(
	service: Service,
	facts: ClusterFacts,
): StepReport[] {
	return [undoStep(service, facts), finalizersStep(service)];
}

function undoStep(service: Service, facts: ClusterFacts): StepReport {
	const step = "Undo";
	const holding = holdingOf(service);
	const finalizer = ownFinalizer(service);
	if (!holding && !finalizer)
		return {
			step,
			state: "Done",
			reason: "NothingHeld",
			message: "Fairlead holds nothing for it",
		};
	if (
		holding &&
		providerTraits[holding.provider as ProviderName]?.needsUndo &&
		!facts.classes.some(({ metadata }) => metadata.name === holding.className)
	)
		return {
			step,
			state: "Blocked",
			reason: "ClassGone",
			message: `BalancerClass ${holding.className} is gone, and with it how to reach what it holds; create it again, or remove finalizer ${finalizer ?? finalizers.classed} to leave the balancer behind`,
		};
	const written = conditionOf(service, conditions.provisioned);
	if (
		written?.status === "False" &&
		written.message.startsWith("the balancer could not be deleted")
	)
		return {
			step,
			state: "Blocked",
			reason: written.reason,
			message: written.message,
		};
	const by = holding ? ` (class ${holding.className})` : "";
	if (facts.snapshot.controller.state === "Running")
		return {
			step,
			state: "Blocked",
			reason: "Deleting",
			message: `the balancer is being deleted${by}`,
		};
	return controllersTurn(
		step,
		`have the balancer deleted${by}`,
		service,
		facts,
	);
}

function finalizersStep(service: Service): StepReport {
	const step = "Finalizers";
	const own = ownFinalizer(service);
	const others = (service.metadata.finalizers ?? []).filter(
		(each) => each !== own,
	);
	if (others.length === 0 || !service.metadata.deletionTimestamp)
		return {
			step,
			state: "Done",
			reason: "NoFinalizers",
			message: "no finalizer of somebody else holds it",
		};
	return {
		step,
		state: "Blocked",
		reason: "ForeignFinalizer",
		message: `finalizer${others.length > 1 ? "s" : ""} ${others.sort().join(", ")} of somebody else hold${others.length > 1 ? "" : "s"} it`,
	};
}
