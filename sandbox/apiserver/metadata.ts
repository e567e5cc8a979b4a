import { equal } from "./json.ts";
import {
	objectAt,
	objectsAt,
	stringAt,
	stringMapAt,
	stringsAt,
	textOf,
	valueAt,
} from "./access.ts";
import {
	type FieldError,
	forbiddenField,
	invalid,
	required,
} from "./field-error.ts";
import type { Kind } from "./kinds.ts";
import {
	dnsLabel,
	dnsSubdomain,
	labelValue,
	pathSegment,
	qualifiedName,
} from "./names.ts";
import type { Json, JsonObject } from "./schema/decode.ts";

const pathKinds = new Set(["rolebindings", "roles", "clusterroles"]);
const labelKinds = new Set(["services", "namespaces"]);

/** The rule for names of a kind. */
export function nameErrors(kind: Kind, name: string): string[] {
	if (labelKinds.has(kind.plural) && !kind.group) return dnsLabel(name);
	if (pathKinds.has(kind.plural)) return pathSegment(name);
	return dnsSubdomain(name);
}

/** Metadata of a new object or of an update; ValidateObjectMeta of k8s.io/apimachinery/pkg/api/validation. */
export function validateMetadata(
	kind: Kind,
	object: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	const errors: FieldError[] = [];
	const meta = objectAt(object, "metadata");
	const name = stringAt(meta, "name");
	if (!old) {
		const base = stringAt(meta, "generateName");
		if (base)
			for (const why of nameErrors(
				kind,
				base.endsWith("-") ? `${base.slice(0, -1)}a` : base,
			))
				errors.push(invalid("metadata.generateName", base, why));
		if (!name)
			errors.push(
				required("metadata.name", "name or generateName is required"),
			);
		else
			for (const why of nameErrors(kind, name))
				errors.push(invalid("metadata.name", name, why));
	}
	errors.push(...validateLabels(objectAt(meta, "labels"), "metadata.labels"));
	for (const key of Object.keys(objectAt(meta, "annotations")))
		for (const why of qualifiedName(key.toLowerCase()))
			errors.push(invalid("metadata.annotations", key, why));
	const size = Object.entries(stringMapAt(meta, "annotations")).reduce(
		(sum, [key, value]) => sum + key.length + Buffer.byteLength(value),
		0,
	);
	if (size > 256 * 1024)
		errors.push({
			type: "FieldValueTooLong",
			field: "metadata.annotations",
			detail: "may not be more than 262144 bytes",
		});
	for (const [index, owner] of objectsAt(meta, "ownerReferences").entries())
		for (const key of ["apiVersion", "kind", "name", "uid"])
			if (!stringAt(owner, key))
				errors.push(
					invalid(
						`metadata.ownerReferences[${index}].${key}`,
						"",
						key === "apiVersion"
							? "version must not be empty"
							: "must not be empty",
					),
				);
	for (const [index, finalizer] of stringsAt(meta, "finalizers").entries()) {
		const at = "metadata.finalizers";
		for (const why of qualifiedName(finalizer))
			errors.push(invalid(at, finalizer, why));
		if (!finalizer.includes("/") && !standardFinalizers.has(finalizer))
			errors.push(
				invalid(
					`${at}[${index}]`,
					finalizer,
					"name is neither a standard finalizer name nor is it fully qualified",
				),
			);
	}
	if (old) errors.push(...validateUpdate(meta, objectAt(old, "metadata")));
	return errors;
}

const standardFinalizers = new Set([
	"kubernetes",
	"orphan",
	"foregroundDeletion",
]);

export function validateLabels(labels: JsonObject, at: string): FieldError[] {
	const errors: FieldError[] = [];
	for (const [key, value] of Object.entries(labels)) {
		for (const why of qualifiedName(key)) errors.push(invalid(at, key, why));
		for (const why of labelValue(textOf(value)))
			errors.push(invalid(at, value, why));
	}
	return errors;
}

function validateUpdate(meta: JsonObject, old: JsonObject): FieldError[] {
	const errors: FieldError[] = [];
	if (old["deletionTimestamp"] !== undefined) {
		const before = stringsAt(old, "finalizers");
		const added = stringsAt(meta, "finalizers").filter(
			(one) => !before.includes(one),
		);
		if (added.length > 0)
			errors.push(
				forbiddenField(
					"metadata.finalizers",
					`no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((one) => JSON.stringify(one)).join(", ")}}`,
				),
			);
	}
	for (const field of [
		"name",
		"namespace",
		"uid",
		"creationTimestamp",
		"deletionTimestamp",
		"deletionGracePeriodSeconds",
	]) {
		const now: Json | undefined = valueAt(meta, field);
		if (!equal(now ?? null, old[field] ?? null))
			errors.push(
				invalid(`metadata.${field}`, now ?? null, "field is immutable"),
			);
	}
	return errors;
}
