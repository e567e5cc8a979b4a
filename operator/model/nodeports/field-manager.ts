import type { ObjectMeta } from "../../api/meta.ts";

/**
 * Under this name NodePorts are applied to Services. It owns them for a moment only: while it does, the API server keeps
 * the item of spec.ports alive when whoever applied the Service renames or removes that port, and refuses the change, for
 * what is left of the item has no name. Once the ownership is given up, the values stay as if the API server had
 * allocated them (docs/adr/0011).
 */
export const nodePortsManager = "fairlead-node-ports";

interface Managed {
	managedFields?: { manager?: string; operation?: string }[];
}

/** What a cache keeps of managedFields: nothing, or that the name above still owns something. */
export function ownManagedFields(metadata: ObjectMeta): Managed {
	const { managedFields } = metadata as ObjectMeta & Managed;
	return managedFields?.some(({ manager }) => manager === nodePortsManager)
		? { managedFields: [{ manager: nodePortsManager, operation: "Apply" }] }
		: {};
}

/** Whether NodePorts were applied to a Service and its ownership not given up yet. */
export function ownsNodePorts({ metadata }: { metadata: ObjectMeta }): boolean {
	return ownManagedFields(metadata).managedFields !== undefined;
}
