import { numberAt, objectAt, objectsAt, stringAt } from "../access.ts";
import { type Call, type Context, timestamp } from "../context.ts";
import { equal } from "../json.ts";
import { groupVersion } from "../kinds.ts";
import { decode, type JsonObject } from "../schema/decode.ts";
import {
	difference,
	emptySet,
	type FieldSet,
	fromFieldsV1,
	insert,
	isEmpty,
	toFieldsV1,
	union,
	without,
} from "./field-set.ts";
import { compare } from "./typed.ts";

/** One entry of metadata.managedFields. */
export interface Manager {
	manager: string;
	operation: "Apply" | "Update";
	apiVersion: string;
	time: string;
	subresource: string;
	set: FieldSet;
}

const unmanagedPaths = [
	["f:apiVersion"],
	["f:kind"],
	...[
		"name",
		"generateName",
		"namespace",
		"creationTimestamp",
		"selfLink",
		"uid",
		"generation",
		"managedFields",
		"resourceVersion",
		"deletionTimestamp",
		"deletionGracePeriodSeconds",
	].map((field) => ["f:metadata", `f:${field}`]),
];

/** Nobody owns these. */
const unmanaged = emptySet();
for (const path of unmanagedPaths) insert(unmanaged, path);

/** What a request through this (sub)resource cannot change, and so does not come to own. */
export function resetFields(call: Call): FieldSet {
	const set = union(unmanaged, emptySet());
	const hasStatus = call.kind.subresources.includes("status");
	if (call.request.subresource === "status") {
		for (const field of call.kind.type.fields.keys())
			if (!["status", "metadata", "apiVersion", "kind"].includes(field))
				insert(set, [`f:${field}`]);
		if (call.kind.custom) insert(set, ["f:metadata"]);
	} else if (hasStatus) insert(set, ["f:status"]);
	return set;
}

export function readManagers(object: JsonObject | undefined): Manager[] {
	return objectsAt(object, "metadata", "managedFields").map((entry) => ({
		manager: stringAt(entry, "manager"),
		operation: stringAt(entry, "operation") === "Apply" ? "Apply" : "Update",
		apiVersion: stringAt(entry, "apiVersion"),
		time: stringAt(entry, "time"),
		subresource: stringAt(entry, "subresource"),
		set: fromFieldsV1(objectAt(entry, "fieldsV1")),
	}));
}

/** Puts entries into an object, in the order the real server gives them. */
export function writeManagers(object: JsonObject, managers: Manager[]): void {
	const meta = objectAt(object, "metadata");
	const kept = managers.filter((one) => !isEmpty(one.set));
	if (kept.length === 0) {
		delete meta["managedFields"];
		return;
	}
	const order = (one: Manager) =>
		[
			one.operation,
			one.time,
			one.manager,
			one.apiVersion,
			one.subresource,
		].join("\0");
	meta["managedFields"] = kept
		.sort((a, b) => (order(a) < order(b) ? -1 : 1))
		.map((one) => ({
			manager: one.manager,
			operation: one.operation,
			apiVersion: one.apiVersion,
			...(one.time ? { time: one.time } : {}),
			fieldsType: "FieldsV1",
			fieldsV1: toFieldsV1(one.set),
			...(one.subresource ? { subresource: one.subresource } : {}),
		}));
}

/** Who a request is made by: the fieldManager it names, or the program of its user agent. */
export function managerName(call: Call): string {
	return (
		call.query.get("fieldManager") ||
		(call.userAgent.split("/")[0] ?? "").slice(0, 128) ||
		"unknown"
	);
}

/**
 * Gives the fields a create, update or patch changed to who made it and takes them from everyone else; writes the entries
 * into `object`.
 */
export function trackUpdate(
	context: Context,
	call: Call,
	old: JsonObject | undefined,
	object: JsonObject,
): void {
	const given = objectsAt(object, "metadata", "managedFields");
	const reset = given.length === 1 && equal(given[0], {});
	const takesGiven = given.length > 0 && !call.request.subresource;
	const managers = reset ? [] : readManagers(takesGiven ? object : old);
	delete objectAt(object, "metadata")["managedFields"];
	const ignored = resetFields(call);
	const type = call.kind.type;
	const { added, modified, removed } = compare(
		type,
		old ?? decode(type, {}),
		object,
	);
	const taken = without(union(added, modified), ignored);
	const lost = without(removed, ignored);
	for (const one of managers)
		one.set = difference(difference(one.set, taken), lost);
	if (!isEmpty(taken) && !reset) {
		const apiVersion = groupVersion(call.kind);
		const subresource = call.request.subresource ?? "";
		const manager = managerName(call);
		const mine = managers.find(
			(one) =>
				one.operation === "Update" &&
				one.manager === manager &&
				one.apiVersion === apiVersion &&
				one.subresource === subresource,
		);
		// The real server keeps no time for scale (registry/apps, ScaleREST).
		const time = subresource === "scale" ? "" : timestamp(context);
		if (ownsNothing(call, object)) {
			if (mine) mine.set = difference(mine.set, taken);
		} else if (mine) {
			mine.set = union(mine.set, taken);
			mine.time = time;
		} else
			managers.push({
				manager,
				operation: "Update",
				apiVersion,
				time,
				subresource,
				set: taken,
			});
	}
	writeManagers(object, managers);
}

/** A Scale of no replicas says nothing on the wire, where zero is left out: nobody owns it then. */
function ownsNothing(call: Call, object: JsonObject): boolean {
	const paths = call.kind.strategy.scale;
	return (
		call.request.subresource === "scale" &&
		paths !== undefined &&
		numberAt(object, ...paths.replicas) === 0
	);
}
