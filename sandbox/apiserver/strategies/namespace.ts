import { ensureObject, stringAt, stringsAt } from "../access.ts";
import type { Strategy } from "../strategy.ts";

/** The finalizer in spec.finalizers that waits until everything in the namespace is gone. */
export const namespaceFinalizer = "kubernetes";

/** The label every namespace carries, so that selectors can name namespaces. */
const nameLabel = "kubernetes.io/metadata.name";

export const namespaceStrategy: Strategy = {
	returnsDeleted: true,
	fields: {
		"status.phase": (namespace) => stringAt(namespace, "status", "phase"),
		name: (namespace) => stringAt(namespace, "metadata", "name"),
	},
	defaults(namespace) {
		const metadata = ensureObject(namespace, "metadata");
		const name = stringAt(metadata, "name");
		if (name) ensureObject(metadata, "labels")[nameLabel] = name;
	},
	prepareForCreate(namespace) {
		namespace["status"] = { phase: "Active" };
		const spec = ensureObject(namespace, "spec");
		const given = stringsAt(spec, "finalizers");
		if (!given.includes(namespaceFinalizer))
			spec["finalizers"] = [...given, namespaceFinalizer];
	},
	prepareForUpdate(namespace, old) {
		namespace["spec"] = { ...(old["spec"] as object) };
		namespace["status"] = { ...(old["status"] as object) };
	},
	prepareForStatus(namespace, old) {
		namespace["spec"] = { ...(old["spec"] as object) };
	},
};
