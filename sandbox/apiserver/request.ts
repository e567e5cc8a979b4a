import type { Verb } from "./kinds.ts";

/** A request for a resource, as its path and method say it. */
export interface ResourceRequest {
	verb: Verb;
	group: string;
	version: string;
	plural: string;
	namespace: string | undefined;
	name: string | undefined;
	subresource: string | undefined;
}

/** Reads `/api/v1/…` and `/apis/GROUP/VERSION/…`; undefined for every other path. */
export function parseRequest(
	method: string,
	path: string,
	query: URLSearchParams,
): ResourceRequest | undefined {
	const parts: string[] = path
		.split("/")
		.filter(Boolean)
		.map(decodeURIComponent);
	let group = "";
	const root = parts.shift();
	if (root === "apis") group = parts.shift() ?? "";
	else if (root !== "api") return undefined;
	const version = parts.shift();
	if (!version || parts.length === 0) return undefined;
	let namespace: string | undefined;
	// `namespaces/x` and its subresources are the namespace itself; anything below is in it.
	if (
		parts[0] === "namespaces" &&
		parts.length > 2 &&
		!(
			group === "" &&
			parts.length === 3 &&
			["status", "finalize"].includes(parts[2] as string)
		)
	) {
		namespace = parts[1];
		parts.splice(0, 2);
	}
	const [plural, name, subresource] = parts as [string, string?, string?];
	const verb = verbOf(method, name, query);
	if (!verb) return undefined;
	return { verb, group, version, plural, namespace, name, subresource };
}

function verbOf(
	method: string,
	name: string | undefined,
	query: URLSearchParams,
): Verb | undefined {
	switch (method) {
		case "GET":
		case "HEAD":
			if (["true", "1"].includes(query.get("watch") ?? "")) return "watch";
			return name === undefined ? "list" : "get";
		case "POST":
			return "create";
		case "PUT":
			return "update";
		case "PATCH":
			return "patch";
		case "DELETE":
			return name === undefined ? "deletecollection" : "delete";
		default:
			return undefined;
	}
}
