import type { FieldError } from "./field-error.ts";
import type { JsonObject } from "./schema/decode.ts";

/** Takes effect when the object is stored, or is undone when it is not. */
export interface Transaction {
	commit(): void;
	revert(): void;
}

/**
 * What is particular to a kind, in the order the real server calls it: defaults, allocate, prepare, validate. Objects are
 * the request's own copies and may be changed, except `old`.
 */
export interface Strategy {
	/** Defaults of the API version. */
	defaults?(object: JsonObject): void;
	/** Takes addresses, ports and the like; not kept when `dryRun`. Throws an ApiError. */
	allocate?(
		object: JsonObject,
		old: JsonObject | undefined,
		dryRun: boolean,
	): Transaction;
	/** The object is gone from the store. */
	released?(object: JsonObject): void;
	prepareForCreate?(object: JsonObject): void;
	prepareForUpdate?(object: JsonObject, old: JsonObject): void;
	prepareForStatus?(object: JsonObject, old: JsonObject): void;
	validate?(object: JsonObject, old: JsonObject | undefined): FieldError[];
	validateStatus?(object: JsonObject, old: JsonObject): FieldError[];
	/** What is wrong with a name, before the general rule. */
	name?: (name: string) => string | undefined;
	warnings?(object: JsonObject, old: JsonObject | undefined): string[];
	/** Fields for field selectors, beside metadata.name and metadata.namespace. */
	fields?: Record<string, (object: JsonObject) => string>;
	/** PUT of a name that does not exist creates it. */
	createOnUpdate?: boolean;
	/** PUT without a resourceVersion is refused. */
	needsResourceVersion?: boolean;
	/** metadata.generation counts changes of the spec, or also those of annotations. */
	generation?: true | "and annotations";
	/** Seconds between the request to delete and the end, if the request does not say; the object stays meanwhile. */
	gracePeriod?(object: JsonObject, asked: number | undefined): number;
	/** The answer to a DELETE is the object, not a Status. */
	returnsDeleted?: boolean;
	/** Where `scale` finds its numbers. */
	scale?: ScalePaths;
}

export interface ScalePaths {
	replicas: string[];
	statusReplicas: string[];
	/** Of a label selector, as an object or as text. */
	selector?: string[];
}
