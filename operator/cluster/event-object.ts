import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "./kube.ts";

/** What happened to an object, as the recorder is told. */
export interface EventFacts {
	type: "Normal" | "Warning";
	/** CamelCase, why: api/names.ts eventReasons. */
	reason: string;
	/** CamelCase, what was done or tried: Provision, Release … */
	action: string;
	/** For people; cut to 1,024 bytes. */
	note: string;
}

/** events.k8s.io/v1 Event, as far as it is written. */
export interface Event extends KubeObject {
	eventTime: string;
	reportingController: string;
	reportingInstance: string;
	type: EventFacts["type"];
	reason: string;
	action: string;
	note: string;
	regarding: {
		apiVersion: string;
		kind: string;
		name: string;
		namespace?: string;
		uid?: string;
		resourceVersion?: string;
	};
	series?: EventSeries;
}

export interface EventSeries {
	/** 2 or more: a single event has no series. */
	count: number;
	lastObservedTime: string;
}

// Limits of k8s.io/kubernetes pkg/apis/core/validation/events.go.
const longestNote = 1024;
const longestInstance = 128;
const longestName = 253;

export interface Reporter {
	controller: string;
	/** Which of the controller's processes. */
	instance: string;
}

/** The Event to create for facts about `object`; `suffix` (hex) makes its name unique. */
export function eventObject(
	resource: Resource,
	object: KubeObject,
	facts: EventFacts,
	reporter: Reporter,
	now: number,
	suffix: string,
): Event {
	const { name, namespace, uid, resourceVersion } = object.metadata;
	const stem = name
		.slice(0, longestName - suffix.length - 1)
		.replace(/[^a-z0-9]+$/, "");
	return {
		metadata: {
			name: `${stem}.${suffix}`,
			// Events about cluster-scoped objects live in "default", as client-go has it.
			namespace: namespace ?? "default",
		},
		eventTime: microTime(now),
		reportingController: reporter.controller,
		reportingInstance: reporter.instance.slice(0, longestInstance),
		type: facts.type,
		reason: facts.reason,
		action: facts.action,
		note: cutUtf8(facts.note, longestNote),
		regarding: {
			apiVersion: resource.group
				? `${resource.group}/${resource.version}`
				: resource.version,
			kind: resource.kind,
			name,
			...(namespace ? { namespace } : {}),
			...(uid ? { uid } : {}),
			...(resourceVersion ? { resourceVersion } : {}),
		},
	};
}

/** metav1.MicroTime */
export function microTime(now: number): string {
	return new Date(now).toISOString().replace("Z", "000Z");
}

/** `text` cut to `limit` bytes of UTF-8 without breaking a character, "…" at its end if it was longer. */
export function cutUtf8(text: string, limit: number): string {
	const bytes = Buffer.from(text, "utf8");
	if (bytes.length <= limit) return bytes.toString("utf8");
	let end = limit - 3;
	while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
	return `${bytes.subarray(0, end).toString("utf8")}…`;
}
