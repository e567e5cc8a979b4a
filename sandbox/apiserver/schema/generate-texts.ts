// Writes texts.ts, what `kubectl explain` says, from the OpenAPI v3 documents of a running kube-apiserver, each saved with
// `kubectl get --raw /openapi/v3/…`: node bin/run.js sandbox/apiserver/schema/generate-texts.ts FOLDER_OF_DOCUMENTS
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { builtInKinds, Kinds } from "../kinds.ts";
import { openApi } from "../openapi.ts";

interface Schema {
	description?: string;
	enum?: string[];
	properties?: Record<string, Schema>;
}
interface Document {
	components: { schemas: Record<string, Schema> };
}

const [folder] = process.argv.slice(2);
if (!folder) throw new Error("usage: generate-texts.ts FOLDER_OF_DOCUMENTS");

const published: Record<string, Schema> = {};
for (const file of readdirSync(folder)) {
	const { components } = JSON.parse(
		readFileSync(join(folder, file), "utf8"),
	) as Partial<Document>;
	Object.assign(published, components?.schemas);
}

const kinds = new Kinds(builtInKinds({}, {}));
const index = openApi(kinds, "/openapi/v3") as { paths: object };
const names = new Set<string>();
for (const root of Object.keys(index.paths)) {
	const document = openApi(kinds, `/openapi/v3/${root}`) as unknown as Document;
	for (const name of Object.keys(document.components.schemas)) names.add(name);
}

const lines: string[] = [];
for (const name of [...names].sort()) {
	const schema = published[name];
	if (!schema) {
		console.error(`not published: ${name}`);
		continue;
	}
	const texts: Record<string, string | [string, string[]]> = {};
	if (schema.description) texts[""] = schema.description;
	for (const [field, property] of Object.entries(schema.properties ?? {}))
		if (property.description)
			texts[field] = property.enum
				? [property.description, property.enum]
				: property.description;
	const json = JSON.stringify(texts)
		.replaceAll("`", "\\u0060")
		.replaceAll("${", "\\u0024{");
	lines.push(`${name} ${json}`);
}
writeFileSync(
	join(import.meta.dirname, "texts.ts"),
	`// Written by generate-texts.ts. The texts are those of the Kubernetes API (https://kubernetes.io, Apache-2.0), one schema
// a line: its own text under "", then those of its fields, with their enum if they have one.
export const texts = String.raw\`
${lines.join("\n")}
\`;
`,
);
