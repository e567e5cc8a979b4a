import {
	objectAt,
	objectsAt,
	setDefault,
	stringAt,
	stringsAt,
	textOf,
} from "../access.ts";
import {
	duplicate,
	type FieldError,
	forbiddenField,
	invalid,
	notSupported,
	required,
} from "../field-error.ts";
import { endpointIpErrors, familyOf } from "../services/ip.ts";
import type { JsonObject } from "../schema/decode.ts";
import type { Strategy } from "../strategy.ts";

/** Kinds that need little more than storing. */

export const endpointsStrategy: Strategy = {
	createOnUpdate: true,
	returnsDeleted: false,
	defaults(object) {
		for (const subset of objectsAt(object, "subsets"))
			for (const port of objectsAt(subset, "ports"))
				setDefault(port, "protocol", "TCP");
	},
};

export const endpointSliceStrategy: Strategy = {
	generation: true,
	defaults(object) {
		for (const port of objectsAt(object, "ports")) {
			setDefault(port, "protocol", "TCP");
			if (port["name"] === undefined) port["name"] = "";
		}
	},
	validate: validateEndpointSlice,
};

/** The rules of discovery.k8s.io/v1 that a controller or a person is likely to break (pkg/apis/discovery/validation). */
function validateEndpointSlice(
	slice: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	const errors: FieldError[] = [];
	const type = stringAt(slice, "addressType");
	if (!type) errors.push(required("addressType"));
	else if (!["FQDN", "IPv4", "IPv6"].includes(type))
		errors.push(notSupported("addressType", type, ["FQDN", "IPv4", "IPv6"]));
	if (old && type !== stringAt(old, "addressType"))
		return [invalid("addressType", null, "field is immutable")];
	for (const [index, endpoint] of objectsAt(slice, "endpoints").entries()) {
		const at = `endpoints[${index}].addresses`;
		const addresses = stringsAt(endpoint, "addresses");
		if (addresses.length === 0) errors.push(required(at));
		for (const [n, address] of addresses.entries()) {
			if (type === "FQDN") continue;
			if (familyOf(address) !== type)
				errors.push(
					invalid(`${at}[${n}]`, address, `must be an ${type} address`),
				);
			else
				for (const why of endpointIpErrors(address))
					errors.push(invalid(`${at}[${n}]`, address, why));
		}
	}
	const names = new Set<string>();
	for (const [index, port] of objectsAt(slice, "ports").entries()) {
		const name = stringAt(port, "name");
		if (names.has(name)) errors.push(duplicate(`ports[${index}].name`, name));
		names.add(name);
	}
	return errors;
}

export const leaseStrategy: Strategy = { createOnUpdate: true };

export const eventStrategy: Strategy = {
	createOnUpdate: true,
	fields: {
		"involvedObject.kind": (event) => stringAt(event, "involvedObject", "kind"),
		"involvedObject.namespace": (event) =>
			stringAt(event, "involvedObject", "namespace"),
		"involvedObject.name": (event) => stringAt(event, "involvedObject", "name"),
		"involvedObject.uid": (event) => stringAt(event, "involvedObject", "uid"),
		"involvedObject.apiVersion": (event) =>
			stringAt(event, "involvedObject", "apiVersion"),
		"involvedObject.resourceVersion": (event) =>
			stringAt(event, "involvedObject", "resourceVersion"),
		"involvedObject.fieldPath": (event) =>
			stringAt(event, "involvedObject", "fieldPath"),
		reason: (event) => stringAt(event, "reason"),
		reportingComponent: (event) => stringAt(event, "reportingComponent"),
		source: (event) =>
			stringAt(event, "source", "component") ||
			stringAt(event, "reportingComponent"),
		type: (event) => stringAt(event, "type"),
	},
	validate(event) {
		const namespace = stringAt(event, "metadata", "namespace");
		const involved = stringAt(event, "involvedObject", "namespace");
		return namespace === (involved || "default")
			? []
			: [
					invalid(
						"involvedObject.namespace",
						involved,
						"does not match event.namespace",
					),
				];
	},
};

/** Data that is immutable stays so; stringData goes into data, as the API server's conversion does. */
function keepImmutable(
	object: JsonObject,
	old: JsonObject | undefined,
	fields: string[],
) {
	if (old?.["immutable"] !== true) return [];
	const why = "field is immutable when `immutable` is set";
	const errors =
		object["immutable"] === true ? [] : [forbiddenField("immutable", why)];
	for (const field of fields)
		if (
			JSON.stringify(objectAt(object, field)) !==
			JSON.stringify(objectAt(old, field))
		)
			errors.push(forbiddenField(field, why));
	return errors;
}

export const secretStrategy: Strategy = {
	createOnUpdate: true,
	fields: { type: (secret) => stringAt(secret, "type") },
	defaults(secret) {
		setDefault(secret, "type", "Opaque");
		const given = objectAt(secret, "stringData");
		delete secret["stringData"];
		if (Object.keys(given).length === 0) return;
		const data: JsonObject = { ...objectAt(secret, "data") };
		for (const [key, value] of Object.entries(given))
			data[key] = Buffer.from(textOf(value)).toString("base64");
		secret["data"] = data;
	},
	validate(secret, old) {
		const errors = keepImmutable(secret, old, ["data"]);
		if (old && secret["type"] !== old["type"])
			errors.push(invalid("type", secret["type"], "field is immutable"));
		return errors;
	},
};

export const configMapStrategy: Strategy = {
	createOnUpdate: true,
	validate: (object, old) => keepImmutable(object, old, ["data", "binaryData"]),
};

export const serviceAccountStrategy: Strategy = {
	createOnUpdate: true,
	returnsDeleted: true,
};
