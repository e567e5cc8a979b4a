import {
	ensureObject,
	numberAt,
	objectAt,
	stringAt,
	valueAt,
} from "./access.ts";
import { badRequest, methodNotSupported, notFound } from "./api-error.ts";
import { type Answer, type Call, type Context } from "./context.ts";
import { invalid, invalidObject } from "./field-error.ts";
import { formatLabelSelector } from "./label-selector.ts";
import { applyPatch } from "./patches.ts";
import { getObject } from "./reads.ts";
import { isObject, type Json, type JsonObject } from "./schema/decode.ts";
import { structType } from "./schema/types.ts";
import type { ScalePaths } from "./strategy.ts";
import { updateObject } from "./writes.ts";

const subject = { group: "autoscaling", plural: "scales", kind: "Scale" };

/** The scale subresource: GET, PUT and PATCH of an autoscaling/v1 Scale. Throws an ApiError. */
export function handleScale(
	context: Context,
	call: Call,
	contentType: string,
	body: Json | undefined,
): Answer {
	const paths = call.kind.strategy.scale;
	if (!paths) throw notFound(call.kind, call.request.name ?? "");
	switch (call.request.verb) {
		case "get":
			return { code: 200, object: scaleOf(getObject(context, call), paths) };
		case "update":
			return change(context, call, paths, () => body);
		case "patch":
			return change(context, call, paths, (scale) =>
				applyPatch(
					contentType,
					structType("autoscaling.Scale"),
					scale,
					body ?? null,
				),
			);
		default:
			throw methodNotSupported(call.kind, call.request.verb);
	}
}

function change(
	context: Context,
	call: Call,
	paths: ScalePaths,
	next: (scale: JsonObject) => Json | undefined,
): Answer {
	const object = updateObject(context, call, (current) => {
		const scale = next(scaleOf(current, paths));
		if (!isObject(scale)) throw badRequest("a Scale must be an object");
		const replicas = numberAt(scale, "spec", "replicas");
		if (replicas < 0)
			throw invalidObject(subject, call.request.name ?? "", [
				invalid(
					"spec.replicas",
					replicas,
					"must be greater than or equal to 0",
				),
			]);
		const revision = stringAt(scale, "metadata", "resourceVersion");
		const meta = objectAt(current, "metadata");
		if (revision) meta["resourceVersion"] = revision;
		setAt(current, paths.replicas, replicas);
		return current;
	});
	return { code: 200, object: scaleOf(object, paths) };
}

function scaleOf(object: JsonObject, paths: ScalePaths): JsonObject {
	const meta = objectAt(object, "metadata");
	const selector = paths.selector && valueAt(object, ...paths.selector);
	const text = isObject(selector)
		? formatLabelSelector(selector)
		: typeof selector === "string"
			? selector
			: "";
	const kept = [
		"name",
		"namespace",
		"uid",
		"resourceVersion",
		"creationTimestamp",
	];
	return {
		kind: "Scale",
		apiVersion: "autoscaling/v1",
		metadata: Object.fromEntries(
			kept.flatMap((key) =>
				meta[key] === undefined ? [] : [[key, meta[key]]],
			),
		),
		spec: { replicas: numberAt(object, ...paths.replicas) },
		status: {
			replicas: numberAt(object, ...paths.statusReplicas),
			...(text ? { selector: text } : {}),
		},
	};
}

function setAt(object: JsonObject, path: string[], value: Json): void {
	let at = object;
	for (const key of path.slice(0, -1)) at = ensureObject(at, key);
	at[path.at(-1) ?? ""] = value;
}
