import { parseAllDocuments } from "yaml";
import { z } from "zod";
import type { AddressPool, BalancerClass } from "../operator/api/fairlead.ts";
import { groupVersion } from "../operator/api/names.ts";
import { FairleadError } from "../operator/errors.ts";
import type { Edit } from "../operator/model/plan/edit.ts";
import { complaintOf, fields } from "./document-words.ts";

/** The shapes that the API server takes (crds/), as far as a wrong one would make a plan say something untrue. */

const labelSelector = fields({
	matchLabels: z.record(z.string(), z.string()).optional(),
	matchExpressions: z
		.array(
			fields({
				key: z.string(),
				operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
				values: z.array(z.string()).optional(),
			}),
		)
		.optional(),
});

const metadata = z.looseObject({
	name: z
		.string()
		.regex(
			/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/,
			"must be a name of at most 253 of a-z, 0-9, - and ., which begins and ends with a letter or digit",
		),
	labels: z.record(z.string(), z.string()).optional(),
	annotations: z.record(z.string(), z.string()).optional(),
});

const addressPool = fields({
	apiVersion: z.literal(groupVersion),
	kind: z.literal("AddressPool"),
	metadata,
	spec: fields({
		addresses: z.array(z.string()),
		uses: z.array(z.enum(["LoadBalancer", "ExternalIP"])).optional(),
		classes: z.array(z.string()).optional(),
		autoAssign: z.boolean().optional(),
		priority: z.number().int().optional(),
		avoidFirstAndLast: z.boolean().optional(),
		namespaceSelector: labelSelector.optional(),
		serviceSelector: labelSelector.optional(),
		retention: z.string().optional(),
	}),
	status: z.unknown().optional(),
});

const balancerClass = fields({
	apiVersion: z.literal(groupVersion),
	kind: z.literal("BalancerClass"),
	metadata,
	spec: z.looseObject({
		provider: z.enum(["HetznerCloud", "Layer2", "Static"]),
		default: z.boolean().optional(),
	}),
	status: z.unknown().optional(),
});

/**
 * Reads YAML (or JSON) with one or more documents, Lists among them, into edits in their order. Throws FlagInvalid that
 * names file, document and field.
 */
export function planDocuments(file: string, text: string): Edit[] {
	const edits: Edit[] = [];
	for (const [index, document] of parseAllDocuments(text).entries()) {
		const where = `--file ${file}, document ${index + 1}`;
		const [error] = document.errors;
		if (error) throw invalid(where, error.message.split("\n")[0] ?? "");
		const value: unknown = document.toJS();
		if (value === null || value === undefined) continue;
		for (const object of itemsOf(value)) edits.push(editOf(where, object));
	}
	if (edits.length === 0)
		throw invalid(
			`--file ${file}`,
			"holds no AddressPool and no BalancerClass",
		);
	return edits;
}

function itemsOf(value: unknown): unknown[] {
	const { kind, items } = value as { kind?: unknown; items?: unknown };
	return kind === "List" && Array.isArray(items) ? items : [value];
}

function editOf(where: string, object: unknown): Edit {
	const kind = (object as { kind?: unknown } | null)?.kind;
	switch (kind) {
		case "AddressPool":
			return {
				do: "apply",
				kind,
				object: checked(where, addressPool, object) as AddressPool,
			};
		case "BalancerClass":
			return {
				do: "apply",
				kind,
				object: checked(where, balancerClass, object) as BalancerClass,
			};
		default:
			throw invalid(
				where,
				kind === undefined
					? "kind is missing: must be AddressPool or BalancerClass"
					: `kind: ${JSON.stringify(kind)}: must be AddressPool or BalancerClass; leave other kinds out`,
			);
	}
}

function checked(where: string, schema: z.ZodType, object: unknown): unknown {
	const result = schema.safeParse(object);
	if (result.success) return result.data;
	throw invalid(where, complaintOf(result.error, object));
}

function invalid(where: string, why: string): FairleadError {
	return new FairleadError("FlagInvalid", `${where}: ${why}`);
}
