import { clone } from "../json.ts";
import {
	ensureObject,
	numberAt,
	objectAt,
	objectsAt,
	stringAt,
} from "../access.ts";
import { isObject, type JsonObject } from "../schema/decode.ts";
import type { Strategy } from "../strategy.ts";
import { defaultPodSpec, validatePodSpec } from "./pod-spec.ts";

const tolerations = ["not-ready", "unreachable"].map((key) => ({
	key: `node.kubernetes.io/${key}`,
	operator: "Exists",
	effect: "NoExecute",
	tolerationSeconds: 300,
}));

/** Burstable unless nothing is asked for; Guaranteed if requests and limits of cpu and memory are the same everywhere. */
function qosClass(spec: JsonObject): string {
	let any = false;
	let all = true;
	for (const container of [
		...objectsAt(spec, "containers"),
		...objectsAt(spec, "initContainers"),
	])
		for (const resource of ["cpu", "memory"]) {
			const request = objectAt(container, "resources", "requests")[resource];
			const limit = objectAt(container, "resources", "limits")[resource];
			if (request !== undefined || limit !== undefined) any = true;
			if (limit === undefined || request !== limit) all = false;
		}
	return !any ? "BestEffort" : all ? "Guaranteed" : "Burstable";
}

export const podStrategy: Strategy = {
	returnsDeleted: true,
	generation: true,
	fields: {
		"spec.nodeName": (pod) => stringAt(pod, "spec", "nodeName"),
		"spec.restartPolicy": (pod) => stringAt(pod, "spec", "restartPolicy"),
		"spec.schedulerName": (pod) => stringAt(pod, "spec", "schedulerName"),
		"spec.serviceAccountName": (pod) =>
			stringAt(pod, "spec", "serviceAccountName"),
		"spec.hostNetwork": (pod) =>
			String(objectAt(pod, "spec")["hostNetwork"] === true),
		"status.phase": (pod) => stringAt(pod, "status", "phase"),
		"status.podIP": (pod) => stringAt(pod, "status", "podIP"),
		"status.nominatedNodeName": (pod) =>
			stringAt(pod, "status", "nominatedNodeName"),
	},
	defaults(pod) {
		const spec = ensureObject(pod, "spec");
		defaultPodSpec(spec);
		if (spec["enableServiceLinks"] === undefined)
			spec["enableServiceLinks"] = true;
		for (const container of objectsAt(spec, "containers")) {
			const limits = objectAt(container, "resources", "limits");
			if (Object.keys(limits).length === 0) continue;
			const resources = objectAt(container, "resources");
			resources["requests"] = {
				...limits,
				...objectAt(resources, "requests"),
			};
		}
	},
	prepareForCreate(pod) {
		const spec = ensureObject(pod, "spec");
		// Admission of the real server: ServiceAccount, Priority, DefaultTolerationSeconds.
		if (!stringAt(spec, "serviceAccountName")) {
			spec["serviceAccountName"] = "default";
			spec["serviceAccount"] = "default";
		}
		spec["priority"] ??= 0;
		spec["preemptionPolicy"] ??= "PreemptLowerPriority";
		const given = objectsAt(spec, "tolerations");
		spec["tolerations"] = [
			...given,
			...tolerations.filter(
				(one) =>
					!given.some(
						(other) => !stringAt(other, "key") || other["key"] === one.key,
					),
			),
		];
		pod["status"] = { phase: "Pending", qosClass: qosClass(spec) };
	},
	prepareForUpdate(pod, old) {
		pod["status"] = clone(objectAt(old, "status"));
	},
	prepareForStatus(pod, old) {
		pod["spec"] = clone(objectAt(old, "spec"));
		const metadata = ensureObject(pod, "metadata");
		const before = objectAt(old, "metadata");
		if (before["deletionTimestamp"] === undefined)
			delete metadata["deletionTimestamp"];
	},
	validate: (pod) => validatePodSpec(objectAt(pod, "spec"), "spec"),
	gracePeriod(pod, asked) {
		const phase = stringAt(pod, "status", "phase");
		const spec = objectAt(pod, "spec");
		const own = numberAt(spec, "terminationGracePeriodSeconds");
		// Nobody runs it, or it has ended: nothing to wait for.
		if (
			!stringAt(spec, "nodeName") ||
			phase === "Failed" ||
			phase === "Succeeded"
		)
			return 0;
		return asked ?? own;
	},
};

export const nodeStrategy: Strategy = {
	fields: {
		"spec.unschedulable": (node) =>
			String(objectAt(node, "spec")["unschedulable"] === true),
	},
	defaults(node) {
		const status = node["status"];
		if (
			isObject(status) &&
			!isObject(status["allocatable"]) &&
			isObject(status["capacity"])
		)
			status["allocatable"] = { ...status["capacity"] };
	},
	prepareForUpdate(node, old) {
		node["status"] = clone(objectAt(old, "status"));
	},
	prepareForStatus(node, old) {
		node["spec"] = clone(objectAt(old, "spec"));
	},
};
