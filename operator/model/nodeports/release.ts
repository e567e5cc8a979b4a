import type { Service } from "../../api/core.ts";
import type { BalancerClass, ProviderName } from "../../api/fairlead.ts";
import type { Condition } from "../../api/meta.ts";
import { annotations } from "../../api/names.ts";
import type { Verdict } from "../conditions.ts";
import { providerTraits } from "../provider-traits.ts";

/** Who set a field, as metadata.managedFields tells it. */
export interface ManagedFields {
	manager?: string;
	operation?: string;
	fieldsV1?: Record<string, unknown>;
}

/** Whether Services of a class are to have no NodePorts, and can do without. */
export function releases({ spec }: BalancerClass): boolean {
	return spec.nodePorts === "Release" && !needsNodePorts(spec.provider);
}

/** A provider this version does not know might. */
function needsNodePorts(provider: ProviderName): boolean {
	return providerTraits[provider]?.needsNodePorts ?? true;
}

/**
 * Whether a Service of a class that releases still has NodePorts, or would get some, and nobody asked to keep them. The
 * class's provider carries traffic without.
 */
export function toRelease(service: Service): boolean {
	const { metadata, spec } = service;
	if (spec.type !== "LoadBalancer" || metadata.deletionTimestamp) return false;
	const noted = metadata.annotations ?? {};
	if (noted[annotations.releaseNodePorts] === "Keep") return false;
	if (noted[annotations.nodePorts] !== undefined) return false;
	return (
		spec.allocateLoadBalancerNodePorts !== false ||
		(spec.ports ?? []).some(({ nodePort }) => nodePort)
	);
}

/**
 * Who wrote into the manifest that there must be NodePorts: whoever set a nodePort, and who applied
 * allocateLoadBalancerNodePorts by server-side apply. An Update does not count for the latter: the API server notes its
 * defaults under the name of who sent the rest.
 */
export function insistsOn(
	managed: readonly ManagedFields[],
	self: string,
): string | undefined {
	for (const { manager = "somebody", operation, fieldsV1 } of managed) {
		if (manager === self) continue;
		const spec = fieldsV1?.["f:spec"];
		if (!isObject(spec)) continue;
		if (operation === "Apply" && "f:allocateLoadBalancerNodePorts" in spec)
			return `${manager} applied allocateLoadBalancerNodePorts`;
		const ports = spec["f:ports"];
		if (!isObject(ports)) continue;
		for (const port of Object.values(ports))
			if (isObject(port) && "f:nodePort" in port)
				return `${manager} set a nodePort`;
	}
	return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

/**
 * The merge patch that turns off allocation and gives all NodePorts back, in one: with allocation on, the API server
 * restores what an update leaves out. It replaces the list of ports, so `service` must be read whole and anew; the version
 * guards it.
 */
export function releasePatch({ metadata, spec }: Service): object {
	const { uid, resourceVersion } = metadata;
	return {
		metadata: { uid, resourceVersion },
		spec: {
			allocateLoadBalancerNodePorts: false,
			ports: (spec.ports ?? []).map((port) => {
				const { nodePort: _, ...rest } = port;
				return rest;
			}),
		},
	};
}

/** Condition of a BalancerClass that asks for Release. */
export const releaseCondition = "NodePortsReleased";

/** What a class is told of its wish; undefined when it has none. */
export function explainRelease({ spec }: BalancerClass): Verdict | undefined {
	if (spec.nodePorts !== "Release") return undefined;
	return needsNodePorts(spec.provider)
		? {
				type: releaseCondition,
				status: "False",
				reason: "ProviderNeedsNodePorts",
				message: `provider ${spec.provider} sends traffic to NodePorts, so its Services keep them; set nodePorts: Keep`,
			}
		: {
				type: releaseCondition,
				status: "True",
				reason: "Released",
				message: `provider ${spec.provider} does without NodePorts; Services of the class get none unless they ask`,
			};
}

/** All conditions of a class after `wanted`, or none of that type, is put in; undefined when nothing changes. */
export function withReleaseCondition(
	present: readonly Condition[],
	wanted: Verdict | undefined,
	now: string,
): Condition[] | undefined {
	const old = present.find(({ type }) => type === releaseCondition);
	if (!wanted)
		return old && present.filter(({ type }) => type !== releaseCondition);
	if (
		old?.status === wanted.status &&
		old.reason === wanted.reason &&
		old.message === wanted.message
	)
		return undefined;
	return [
		...present.filter(({ type }) => type !== releaseCondition),
		{
			...wanted,
			lastTransitionTime:
				old?.status === wanted.status ? old.lastTransitionTime : now,
		},
	];
}
