import type { Clock } from "../../operator/clock.ts";
import type { Log } from "../../operator/log.ts";
import type { Kind, Kinds } from "./kinds.ts";
import type { ResourceRequest } from "./request.ts";
import type { JsonObject } from "./schema/decode.ts";
import { type Store, type Stored } from "./store.ts";

/** What every request works on. */
export interface Context {
	store: Store;
	kinds: Kinds;
	clock: Clock;
	random: (bytes: number) => Uint8Array;
	log: Log;
}

/** One request for a resource, its body apart. */
export interface Call {
	kind: Kind;
	request: ResourceRequest;
	query: URLSearchParams;
	/** Who is named in managedFields if the request does not say. */
	userAgent: string;
	/** Adds a Warning header. */
	warn: (text: string) => void;
}

export interface Answer {
	code: number;
	object: JsonObject;
}

/** A stored object in the version of `kind`. */
export function read(kind: Kind, stored: Stored): JsonObject {
	return kind.fromStored
		? kind.fromStored(stored as JsonObject)
		: (stored as JsonObject);
}

/** Now, as metav1.Time has it. */
export function timestamp(context: Context): string {
	return `${new Date(context.clock.now()).toISOString().slice(0, 19)}Z`;
}

export function newUid(context: Context): string {
	const bytes = Buffer.from(context.random(16));
	bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
	bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
	return bytes
		.toString("hex")
		.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export function isDryRun(query: URLSearchParams): boolean {
	return query.getAll("dryRun").includes("All");
}

/** A call that the server makes on its own object. */
export function internalCall(
	kind: Kind,
	verb: Call["request"]["verb"],
	namespace: string | undefined,
	name: string | undefined,
): Call {
	const { group, version, plural } = kind;
	return {
		kind,
		request: {
			verb,
			group,
			version,
			plural,
			namespace: namespace || undefined,
			name,
			subresource: undefined,
		},
		query: new URLSearchParams(),
		userAgent: "kube-controller-manager",
		warn: () => {},
	};
}
