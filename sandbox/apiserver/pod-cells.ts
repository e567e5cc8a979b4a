import { numberAt, objectAt, objectsAt, stringAt } from "./access.ts";
import { humanDuration } from "./human-duration.ts";
import type { JsonObject } from "./schema/decode.ts";

/** Ready, Status and Restarts of a pod, as `kubectl get pods` words them (pkg/printers/internalversion, printPod). */
export function podCells(
	pod: JsonObject,
	now: number,
): { ready: string; status: string; restarts: string } {
	const status = objectAt(pod, "status");
	const total = objectsAt(pod, "spec", "containers").length;
	let reason = stringAt(status, "reason") || stringAt(status, "phase");
	let restarts = 0;
	let lastRestart = "";
	let ready = 0;
	let running = false;

	const initial = objectsAt(status, "initContainerStatuses");
	const initTotal = objectsAt(pod, "spec", "initContainers").length;
	let initializing = false;
	for (const [index, one] of initial.entries()) {
		restarts += numberAt(one, "restartCount");
		const ended = objectAt(one, "state", "terminated");
		const waiting = stringAt(one, "state", "waiting", "reason");
		if (Object.keys(ended).length > 0 && numberAt(ended, "exitCode") === 0)
			continue;
		if (Object.keys(ended).length > 0)
			reason = `Init:${stringAt(ended, "reason") || exit(ended)}`;
		else if (waiting && waiting !== "PodInitializing")
			reason = `Init:${waiting}`;
		else reason = `Init:${index}/${initTotal}`;
		initializing = true;
		break;
	}

	if (!initializing) {
		for (const one of objectsAt(status, "containerStatuses").toReversed()) {
			restarts += numberAt(one, "restartCount");
			const last = stringAt(one, "lastState", "terminated", "finishedAt");
			if (last > lastRestart) lastRestart = last;
			const waiting = stringAt(one, "state", "waiting", "reason");
			const ended = objectAt(one, "state", "terminated");
			if (waiting) reason = waiting;
			else if (Object.keys(ended).length > 0)
				reason = stringAt(ended, "reason") || exit(ended);
			else if (
				one["ready"] === true &&
				Object.keys(objectAt(one, "state", "running")).length > 0
			) {
				running = true;
				ready++;
			}
		}
		if (reason === "Completed" && running)
			reason = isReady(status) ? "Running" : "NotReady";
	}
	if (objectAt(pod, "metadata")["deletionTimestamp"] !== undefined)
		reason =
			stringAt(status, "reason") === "NodeLost" ? "Unknown" : "Terminating";
	return {
		ready: `${ready}/${total}`,
		status: reason,
		restarts:
			restarts > 0 && lastRestart
				? `${restarts} (${humanDuration(now - Date.parse(lastRestart))} ago)`
				: String(restarts),
	};
}

function exit(terminated: JsonObject): string {
	const signal = numberAt(terminated, "signal");
	return signal
		? `Signal:${signal}`
		: `ExitCode:${numberAt(terminated, "exitCode")}`;
}

function isReady(status: JsonObject): boolean {
	return objectsAt(status, "conditions").some(
		(one) => one["type"] === "Ready" && one["status"] === "True",
	);
}
