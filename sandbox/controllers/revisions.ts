import type { KubeObject } from "../../operator/api/meta.ts";
import type { Deployment, PodTemplate, ReplicaSet } from "../objects.ts";
import { safeEncode } from "./creations.ts";
import { sameMeaning } from "./merge-diff.ts";

/** What the Deployment controller writes on ReplicaSets, as kubectl reads it. */
export const annotations = {
	revision: "deployment.kubernetes.io/revision",
	history: "deployment.kubernetes.io/revision-history",
	desiredReplicas: "deployment.kubernetes.io/desired-replicas",
	maxReplicas: "deployment.kubernetes.io/max-replicas",
} as const;

/** Carries the hash of a pod template on its ReplicaSet and pods. */
export const hashLabel = "pod-template-hash";

const notCopied = new Set<string>([
	...Object.values(annotations),
	"kubectl.kubernetes.io/last-applied-configuration",
	"deprecated.deployment.rollback.to",
]);

const longestHistory = 2_000;

/** A non-negative integer in an annotation; undefined if there is none. */
export function numberIn(
	{ metadata }: KubeObject,
	annotation: string,
): number | undefined {
	const text = metadata.annotations?.[annotation] ?? "";
	return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** The number that a ReplicaSet becoming the newest must have at least. */
export function nextRevision(old: readonly ReplicaSet[]): number {
	return (
		1 +
		Math.max(0, ...old.map((set) => numberIn(set, annotations.revision) ?? 0))
	);
}

/** Annotations of the ReplicaSet of the present template: the Deployment's own, its revision, and those it had before. */
export function newSetAnnotations(
	deployment: Deployment,
	present: Record<string, string>,
	revision: number,
): Record<string, string> {
	const result = { ...present };
	for (const [key, value] of Object.entries(
		deployment.metadata.annotations ?? {},
	))
		if (!notCopied.has(key)) result[key] = value;
	const before = present[annotations.revision];
	if (before !== undefined && !/^\d+$/.test(before)) return result;
	if (Number(before ?? 0) >= revision) return result;
	result[annotations.revision] = String(revision);
	// A revision that comes back keeps its former numbers.
	if (before !== undefined) {
		const history = (present[annotations.history] ?? "")
			.split(",")
			.filter(Boolean);
		history.push(before);
		while (history.join(",").length > longestHistory) history.shift();
		result[annotations.history] = history.join(",");
	}
	return result;
}

/** Whether two templates are one revision. */
export function sameTemplate(a: PodTemplate, b: PodTemplate): boolean {
	return sameMeaning(withoutHash(a), withoutHash(b));
}

function withoutHash({ metadata, spec }: PodTemplate): PodTemplate {
	const labels = { ...metadata?.labels };
	delete labels[hashLabel];
	return { metadata: { ...metadata, labels }, spec };
}

/** The hash that names a template's ReplicaSet; `collisions` is the Deployment's count of names found taken. */
export function templateHash(
	template: PodTemplate,
	collisions: number | undefined,
): string {
	return safeEncode(String(fnv1a(`${canonical(template)}${collisions ?? ""}`)));
}

/** JSON with sorted keys and without what means nothing, so that equal templates have equal text. */
function canonical(value: unknown): string {
	return JSON.stringify(value, (_key, each: unknown) =>
		typeof each === "object" && each !== null && !Array.isArray(each)
			? Object.fromEntries(
					Object.entries(each)
						.filter(([, inner]) => !sameMeaning(inner, undefined))
						.sort(([a], [b]) => (a < b ? -1 : 1)),
				)
			: each,
	);
}

/** FNV-1a, 32 bits. */
function fnv1a(text: string): number {
	let hash = 0x811c9dc5;
	for (const byte of Buffer.from(text))
		hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
	return hash;
}
