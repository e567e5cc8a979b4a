import {
	ensureObject,
	objectAt,
	objectsAt,
	stringAt,
	stringMapAt,
} from "../access.ts";
import { badRequest, conflict } from "../api-error.ts";
import { type Answer, type Call, type Context, timestamp } from "../context.ts";
import { deleteObject } from "../deletes.ts";
import { invalidObject, required } from "../field-error.ts";
import { isObject, type Json, type JsonObject } from "../schema/decode.ts";
import type { Stored } from "../store.ts";
import { updateObject } from "../writes.ts";

/** Subresources of pods that are things to do: POST does them and answers with a Status. */
export const actions: readonly string[] = ["binding", "eviction"];

const done: JsonObject = {
	kind: "Status",
	apiVersion: "v1",
	metadata: {},
	status: "Success",
	code: 201,
};

export function actOnPod(
	context: Context,
	call: Call,
	body: Json | undefined,
): Answer {
	if (!isObject(body)) throw badRequest("a body is needed");
	const name = stringAt(body, "metadata", "name");
	const binding = call.request.subresource === "binding";
	if (name && name !== call.request.name)
		throw badRequest(
			`name in URL does not match name in ${binding ? "Binding" : "Eviction"} object`,
		);
	if (binding) bind(context, call, body);
	else evict(context, call, body);
	return { code: 201, object: done };
}

/** Gives a pod to a node (BindingREST in pkg/registry/core/pod/storage). */
function bind(context: Context, call: Call, body: JsonObject): void {
	const node = stringAt(body, "target", "name");
	const name = call.request.name ?? "";
	if (!node)
		throw invalidObject({ group: "", plural: "pods", kind: "Binding" }, name, [
			required("target.name"),
		]);
	const refuse = (why: string) =>
		conflict({ group: "", plural: "pods/binding", kind: "" }, name, why);
	updateObject(context, call, (pod) => {
		const meta = objectAt(pod, "metadata");
		const spec = objectAt(pod, "spec");
		if (meta["deletionTimestamp"] !== undefined)
			throw refuse(
				`pod ${name} is being deleted, cannot be assigned to a host`,
			);
		const uid = stringAt(body, "metadata", "uid");
		if (uid && uid !== meta["uid"])
			throw refuse(
				`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${stringAt(meta, "uid")}`,
			);
		const held = stringAt(spec, "nodeName");
		if (held)
			throw refuse(
				`pod ${name} is already assigned to node ${JSON.stringify(held)}`,
			);
		if (objectsAt(spec, "schedulingGates").length > 0)
			throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
		spec["nodeName"] = node;
		const labels = {
			...stringMapAt(body, "metadata", "labels"),
			...topologyOf(context.store.get("nodes", node)),
		};
		if (Object.keys(labels).length > 0)
			meta["labels"] = { ...objectAt(meta, "labels"), ...labels };
		const annotations = stringMapAt(body, "metadata", "annotations");
		if (Object.keys(annotations).length > 0)
			meta["annotations"] = {
				...objectAt(meta, "annotations"),
				...annotations,
			};
		const status = ensureObject(pod, "status");
		status["conditions"] = [
			...objectsAt(status, "conditions").filter(
				(one) => one["type"] !== "PodScheduled",
			),
			{
				type: "PodScheduled",
				status: "True",
				lastProbeTime: null,
				lastTransitionTime: timestamp(context),
			},
		];
		return pod;
	});
}

/** Labels that a pod gets from its node (the admission plugin PodTopologyLabels). */
function topologyOf(node: Stored | undefined): Record<string, string> {
	const labels = stringMapAt((node ?? {}) as JsonObject, "metadata", "labels");
	return Object.fromEntries(
		Object.entries(labels).filter(([key]) =>
			/^topology\.kubernetes\.io\/(zone|region)$/.test(key),
		),
	);
}

/** Deletes a pod; the sandbox has no disruption budgets that could stand against it. */
function evict(context: Context, call: Call, body: JsonObject): void {
	deleteObject(
		context,
		{
			...call,
			request: { ...call.request, verb: "delete", subresource: undefined },
		},
		isObject(body["deleteOptions"]) ? body["deleteOptions"] : undefined,
	);
}
