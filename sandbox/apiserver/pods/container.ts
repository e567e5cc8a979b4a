import { objectAt, objectsAt, stringAt } from "../access.ts";
import { badRequest } from "../api-error.ts";
import type { JsonObject } from "../schema/decode.ts";

/** Name and namespace of a stored pod. */
export function podOf(pod: JsonObject): { namespace: string; name: string } {
	const meta = objectAt(pod, "metadata");
	return {
		namespace: stringAt(meta, "namespace"),
		name: stringAt(meta, "name"),
	};
}

export const nodeOf = (pod: JsonObject): string =>
	stringAt(pod, "spec", "nodeName");

/**
 * The container that a request for logs or a command means: `asked`, or the only one. Throws BadRequest (validateContainer
 * in pkg/registry/core/pod/strategy.go).
 */
export function containerOf(pod: JsonObject, asked: string): string {
	const spec = objectAt(pod, "spec");
	const containers = objectsAt(spec, "containers");
	const all = [
		...objectsAt(spec, "initContainers"),
		...containers,
		...objectsAt(spec, "ephemeralContainers"),
	].map((container) => stringAt(container, "name"));
	const { name } = podOf(pod);
	if (asked) {
		if (all.includes(asked)) return asked;
		throw badRequest(`container ${asked} is not valid for pod ${name}`);
	}
	const [only, ...others] = containers;
	if (only && others.length === 0) return stringAt(only, "name");
	throw badRequest(
		`a container name must be specified for pod ${name}${only ? `, choose one of: [${all.join(" ")}]` : ""}`,
	);
}
