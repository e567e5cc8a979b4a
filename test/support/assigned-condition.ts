import type { Condition } from "../../operator/api/meta.ts";
import { conditions } from "../../operator/api/names.ts";
import { assignedMessage } from "../../operator/model/assignment.ts";

/** The condition that bears out a record of these addresses, as the controller writes it. */
export const assignedCondition = (...addresses: string[]): Condition => ({
	type: conditions.addressAssigned,
	status: "True",
	reason: "Assigned",
	message: assignedMessage(addresses, "class lan"),
	lastTransitionTime: "2026-01-01T00:00:00Z",
});
