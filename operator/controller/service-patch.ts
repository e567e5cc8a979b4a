import type { Service } from "../api/core.ts";
import {
	addFinalizer,
	annotate,
	combine,
	guard,
	type PatchBody,
	removeConditions,
	removeFinalizer,
	setConditions,
	setIngress,
} from "../cluster/patches.ts";
import type { ServiceChange } from "../model/next-step.ts";

/** The strategic-merge body for a Service's /status that brings a change about, on exactly the object it was decided for. */
export function servicePatch(
	service: Service,
	change: ServiceChange,
): PatchBody {
	const parts = [guard(service)];
	if (change.addFinalizer) parts.push(addFinalizer(change.addFinalizer));
	if (change.removeFinalizer)
		parts.push(removeFinalizer(change.removeFinalizer));
	if (change.annotations) parts.push(annotate(change.annotations));
	if (change.conditions) parts.push(setConditions(change.conditions));
	if (change.dropConditions)
		parts.push(removeConditions(change.dropConditions));
	if (change.ingress) parts.push(setIngress(change.ingress));
	return combine(...parts);
}
