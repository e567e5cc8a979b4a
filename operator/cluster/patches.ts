import type { LoadBalancerIngress } from "../api/core.ts";
import type { Condition, KubeObject } from "../api/meta.ts";

/**
 * Pieces of a strategic-merge patch for a Service; several go into one body with `combine` and then to /status, which
 * also takes metadata (measured on 1.37). Merge keys come from k8s.io/api/core/v1: conditions merge by type, finalizers as a
 * set of strings; loadBalancer.ingress is atomic.
 */
export interface PatchBody {
	metadata?: {
		uid?: string;
		resourceVersion?: string;
		annotations?: Record<string, string | null>;
		finalizers?: string[];
		"$deleteFromPrimitiveList/finalizers"?: string[];
	};
	status?: {
		conditions?: (Condition | { type: string; $patch: "delete" })[];
		loadBalancer?: { ingress: LoadBalancerIngress[] | null };
	};
}

/** Holds the patch to this very object as it was read: 409 if it changed since, or was deleted and made anew. */
export function guard({ metadata }: KubeObject): PatchBody {
	const { uid, resourceVersion } = metadata;
	return {
		metadata: {
			...(uid ? { uid } : {}),
			...(resourceVersion ? { resourceVersion } : {}),
		},
	};
}

export function addFinalizer(name: string): PatchBody {
	return { metadata: { finalizers: [name] } };
}

/** Others' finalizers stay, whatever they are by then. */
export function removeFinalizer(name: string): PatchBody {
	return { metadata: { "$deleteFromPrimitiveList/finalizers": [name] } };
}

/** Sets annotations; null removes one. */
export function annotate(
	annotations: Record<string, string | null>,
): PatchBody {
	return { metadata: { annotations } };
}

/** Sets or replaces conditions of these types; others' stay. */
export function setConditions(conditions: Condition[]): PatchBody {
	return { status: { conditions } };
}

export function removeConditions(types: readonly string[]): PatchBody {
	return {
		status: {
			conditions: types.map((type) => ({ type, $patch: "delete" as const })),
		},
	};
}

/** The whole list of ingress points; an empty one removes the field. */
export function setIngress(ingress: LoadBalancerIngress[]): PatchBody {
	return {
		status: { loadBalancer: { ingress: ingress.length > 0 ? ingress : null } },
	};
}

/** One body out of several: lists follow each other, for anything else the last one wins. */
export function combine(...parts: PatchBody[]): PatchBody {
	return parts.reduce<PatchBody>((whole, part) => join(whole, part), {});
}

function join<T extends object>(a: T, b: T): T {
	const joined = { ...a } as Record<string, unknown>;
	for (const [key, value] of Object.entries(b)) {
		const had = joined[key];
		if (key === "loadBalancer") joined[key] = value;
		else if (Array.isArray(had) && Array.isArray(value))
			joined[key] = [...(had as unknown[]), ...(value as unknown[])];
		else if (isPlain(had) && isPlain(value)) joined[key] = join(had, value);
		else joined[key] = value;
	}
	return joined as T;
}

function isPlain(value: unknown): value is object {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
