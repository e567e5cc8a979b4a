import type { Service } from "../../api/core.ts";
import { conditions } from "../../api/names.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import type { StepName, StepReport } from "./explanation.ts";

/** The step is the controller's to do; says whether one is there to do it. `todo` completes `the controller has yet to`. */
export function controllersTurn(
	step: StepName,
	todo: string,
	service: Service,
	{ snapshot: { controller } }: ClusterFacts,
): StepReport {
	const report = (reason: string, message: string): StepReport => ({
		step,
		state: "Next",
		reason,
		message,
	});
	switch (controller.state) {
		case "Absent":
			return report(
				"ControllerAbsent",
				`no controller is known to run (nobody holds Lease ${controller.lease}), and one has yet to ${todo}`,
			);
		case "Expired":
			return report(
				"ControllerExpired",
				`the controller ${controller.holder} has not been heard of since ${controller.renewed}, and has yet to ${todo}`,
			);
		case "Running":
			if (!isSpokenOf(service))
				return report(
					"ControllerSilent",
					`the controller ${controller.holder} has written nothing on this Service yet, and has yet to ${todo}`,
				);
			return report("Provisioning", `the controller has yet to ${todo}`);
		default:
			return report("Provisioning", `the controller has yet to ${todo}`);
	}
}

/** Whether a controller has said anything of the Service. */
export function isSpokenOf({ status }: Service): boolean {
	const ours = new Set<string>(Object.values(conditions));
	return (status?.conditions ?? []).some(({ type }) => ours.has(type));
}
