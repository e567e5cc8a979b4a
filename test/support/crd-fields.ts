import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";

interface Schema {
	properties?: Record<string, Schema>;
	items?: Schema;
}

export interface CustomKind {
	kind: string;
	plural: string;
	namespaced: boolean;
	/** Paths to every field of the spec, `spec` first; `0` stands for an item of a list. */
	fields: string[][];
	hasConditions: boolean;
}

const folder = new URL("../../crds/", import.meta.url);

/** The kinds of crds/, with every field their schemas know. */
export function customKinds(): CustomKind[] {
	return readdirSync(folder).map((file) => {
		const { spec } = parse(readFileSync(new URL(file, folder), "utf8")) as {
			spec: {
				scope: string;
				names: { kind: string; plural: string };
				versions: { schema: { openAPIV3Schema: Schema } }[];
			};
		};
		const root = spec.versions[0]?.schema.openAPIV3Schema.properties ?? {};
		return {
			kind: spec.names.kind,
			plural: spec.names.plural,
			namespaced: spec.scope === "Namespaced",
			fields: [...fieldsOf(["spec"], root["spec"] ?? {})],
			hasConditions: root["status"]?.properties?.["conditions"] !== undefined,
		};
	});
}

function* fieldsOf(at: string[], schema: Schema): Generator<string[]> {
	yield at;
	for (const [name, each] of Object.entries(schema.properties ?? {}))
		yield* fieldsOf([...at, name], each);
	if (schema.items) yield* fieldsOf([...at, "0"], schema.items);
}

/** The object with the field set to the value; what stands in the way is replaced. */
export function withField(
	object: object,
	[first, ...rest]: readonly string[],
	value: unknown,
): object {
	if (first === undefined) return value as object;
	const inside = (object as Record<string, unknown>)[first];
	const next =
		typeof inside === "object" && inside !== null
			? inside
			: rest[0] === "0"
				? []
				: {};
	const set = withField(next, rest, value);
	if (Array.isArray(object)) return [set, ...object.slice(1)];
	// Not by assignment: `__proto__` is a name like any other here.
	return Object.fromEntries([
		...Object.entries(object).filter(([name]) => name !== first),
		[first, set],
	]);
}
