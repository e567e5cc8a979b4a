import type { Service, ServicePort } from "../../operator/api/core.ts";
import type { Condition } from "../../operator/api/meta.ts";
import { type KubeObject, objectKey } from "../../operator/api/meta.ts";
import type { Patch } from "../../operator/cluster/kube.ts";
import type { PatchBody } from "../../operator/cluster/patches.ts";
import { FairleadError } from "../../operator/errors.ts";

/** What Fairlead applies to a Service. */
interface PortsBody {
	spec?: { ports?: Pick<ServicePort, "port" | "protocol" | "nodePort">[] };
}

/** What the API server makes of a patch of Fairlead's. */
export function patched(found: KubeObject, patch: Patch): KubeObject {
	if (patch.type === "strategic-merge")
		return strategicMerge(found as Service, patch.body);
	if (patch.type === "apply")
		return applyPorts(
			found as Service,
			patch.body as PortsBody,
			patch.fieldManager,
		);
	return merge(found, patch.body) as KubeObject;
}

/** What the API server makes of Fairlead's server-side apply: ports merge by port and protocol, who applied is noted. */
function applyPorts(
	found: Service,
	{ spec }: PortsBody,
	manager: string,
): Service {
	const next = structuredClone(found);
	for (const { port, protocol = "TCP", nodePort } of spec?.ports ?? []) {
		const own = next.spec.ports?.find(
			(each) => each.port === port && (each.protocol ?? "TCP") === protocol,
		);
		if (!own)
			throw new FairleadError(
				"KubeInvalid",
				`spec.ports: ${protocol}/${port} has no name`,
			);
		if (nodePort !== undefined) own.nodePort = nodePort;
	}
	const applied = spec?.ports?.length
		? { managedFields: [{ manager, operation: "Apply" }] }
		: {};
	const { managedFields: _, ...metadata } = next.metadata as {
		managedFields?: unknown;
	} & Service["metadata"];
	return { ...next, metadata: { ...metadata, ...applied } };
}

/**
 * Refuses a NodePort that another Service has, as the API server does (k8s.io/kubernetes, pkg/registry/core/service/
 * portallocator, ErrAllocated).
 */
export function checkNodePorts(
	service: Service,
	services: readonly Service[],
): void {
	const key = objectKey(service);
	const taken = new Set(
		services
			.filter((each) => objectKey(each) !== key)
			.flatMap(({ spec }) => (spec.ports ?? []).map(nodePortOf)),
	);
	for (const [at, port] of (service.spec.ports ?? []).entries())
		if (nodePortOf(port) !== 0 && taken.has(nodePortOf(port)))
			throw new FairleadError(
				"KubeInvalid",
				`spec.ports[${at}].nodePort: Invalid value: ${nodePortOf(port)}: provided port is already allocated`,
			);
}

function nodePortOf({ nodePort = 0 }: ServicePort): number {
	return nodePort;
}

/** What the API server makes of Fairlead's patches of a Service's /status; merge keys as in operator/cluster/patches.ts. */
function strategicMerge(found: Service, body: PatchBody): Service {
	const next = structuredClone(found);
	const { metadata = {}, status } = body;
	const finalizers = new Set([
		...(next.metadata.finalizers ?? []),
		...(metadata.finalizers ?? []),
	]);
	for (const gone of metadata["$deleteFromPrimitiveList/finalizers"] ?? [])
		finalizers.delete(gone);
	next.metadata.finalizers = [...finalizers];
	const noted = merge(
		next.metadata.annotations ?? {},
		metadata.annotations ?? {},
	);
	next.metadata.annotations = noted as Record<string, string>;
	next.status ??= {};
	for (const condition of status?.conditions ?? []) {
		const others: Condition[] = (next.status.conditions ?? []).filter(
			(each) => each.type !== condition.type,
		);
		next.status.conditions =
			"$patch" in condition ? others : [...others, condition];
	}
	if (status?.loadBalancer)
		next.status.loadBalancer = {
			ingress: status.loadBalancer.ingress ?? [],
		};
	return next;
}

/** RFC 7386 */
function merge(target: unknown, patch: unknown): unknown {
	if (!isPlain(patch)) return patch;
	const merged: Record<string, unknown> = isPlain(target) ? { ...target } : {};
	for (const [key, value] of Object.entries(patch))
		if (value === null) delete merged[key];
		else merged[key] = merge(merged[key], value);
	return merged;
}

function isPlain(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
