import type { JsonObject } from "../schema/decode.ts";

/** Names of one field in core/v1 Event and in events.k8s.io/v1 Event, which are one object. */
const names: [core: string, events: string][] = [
	["message", "note"],
	["involvedObject", "regarding"],
	["reportingComponent", "reportingController"],
	["source", "deprecatedSource"],
	["firstTimestamp", "deprecatedFirstTimestamp"],
	["lastTimestamp", "deprecatedLastTimestamp"],
	["count", "deprecatedCount"],
];

function rename(
	object: JsonObject,
	apiVersion: string,
	pairs: [from: string, to: string][],
): JsonObject {
	const result: JsonObject = { ...object, apiVersion };
	for (const [from] of pairs) delete result[from];
	for (const [from, to] of pairs)
		if (object[from] !== undefined) result[to] = object[from];
	return result;
}

/** events.k8s.io/v1 as core/v1, the form that is stored. */
export const coreEvent = (object: JsonObject): JsonObject =>
	rename(
		object,
		"v1",
		names.map(([core, events]) => [events, core]),
	);

/** core/v1 as events.k8s.io/v1. */
export const eventsEvent = (object: JsonObject): JsonObject =>
	rename(object, "events.k8s.io/v1", names);
