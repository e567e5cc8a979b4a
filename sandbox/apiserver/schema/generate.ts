// Writes the type tables of this folder from the Go sources of k8s.io/api and k8s.io/apimachinery, when the version of
// Kubernetes moves: node bin/run.js sandbox/apiserver/schema/generate.ts FOLDER_OF_K8S_IO_API FOLDER_OF_APIMACHINERY
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Source {
	file: string;
	/** Prefix of its types in the tables: core types have none, since most others refer to them. */
	prefix: string;
}

const [api, machinery] = process.argv.slice(2);
if (!api || !machinery)
	throw new Error("usage: generate.ts K8S_IO_API APIMACHINERY");

const sources: Record<string, Source> = {
	core: { file: join(api, "core/v1/types.go"), prefix: "" },
	meta: {
		file: join(machinery, "pkg/apis/meta/v1/types.go"),
		prefix: "meta.",
	},
	apps: { file: join(api, "apps/v1/types.go"), prefix: "apps." },
	discovery: {
		file: join(api, "discovery/v1/types.go"),
		prefix: "discovery.",
	},
	events: { file: join(api, "events/v1/types.go"), prefix: "events." },
	coordination: {
		file: join(api, "coordination/v1/types.go"),
		prefix: "coordination.",
	},
	autoscaling: {
		file: join(api, "autoscaling/v1/types.go"),
		prefix: "autoscaling.",
	},
	policy: { file: join(api, "policy/v1/types.go"), prefix: "policy." },
	authentication: {
		file: join(api, "authentication/v1/types.go"),
		prefix: "authentication.",
	},
	authorization: {
		file: join(api, "authorization/v1/types.go"),
		prefix: "authorization.",
	},
};

/** The types to start from; what they refer to follows. */
const roots = [
	"Namespace Service Endpoints Pod Node Event Secret ConfigMap ServiceAccount Binding",
	"meta.DeleteOptions meta.Status meta.LabelSelector apps.Deployment apps.ReplicaSet",
	"discovery.EndpointSlice events.Event coordination.Lease autoscaling.Scale policy.Eviction",
	"authentication.TokenRequest authentication.SelfSubjectReview",
	"authorization.SelfSubjectAccessReview authorization.SelfSubjectRulesReview authorization.SubjectAccessReview",
].flatMap((line) => line.split(" "));

const scalars: Record<string, string> = {
	string: "string",
	bool: "bool",
	int: "int32",
	int32: "int32",
	int64: "int64",
	float64: "double",
	"[]byte": "bytes",
	"meta.Time": "time",
	"meta.MicroTime": "microTime",
	"meta.FieldsV1": "fieldsV1",
	"intstr.IntOrString": "intOrString",
	"resource.Quantity": "quantity",
	"types.UID": "string",
	"types.NodeName": "string",
	"runtime.RawExtension": "any",
};

const structs = new Map<
	string,
	{ text: string[]; atomic: boolean; source: string }
>();
const aliases = new Map<string, string>();
for (const [source, { file, prefix }] of Object.entries(sources)) {
	const lines = readFileSync(file, "utf8").split("\n");
	let comments: string[] = [];
	for (let at = 0; at < lines.length; at++) {
		const line = lines[at] as string;
		const struct = /^type (\w+) struct \{/.exec(line);
		const alias = /^type (\w+) =? ?(string|map\[.*|\[\]\w+|[\w.]+)$/.exec(line);
		if (struct) {
			const end = lines.indexOf("}", at);
			structs.set(prefix + struct[1], {
				text: line.endsWith("{}") ? [] : lines.slice(at + 1, end),
				atomic: comments.some((one) => one.includes("+structType=atomic")),
				source,
			});
		} else if (alias)
			aliases.set(prefix + alias[1], qualify(alias[2] as string, prefix));
		comments = line.startsWith("//")
			? [...comments, line]
			: line === ""
				? comments
				: [];
	}
}

/** A Go type as seen from a package, with package prefixes as the tables have them. */
function qualify(type: string, prefix: string): string {
	const list = /^(\*|\[\]|map\[[\w.]+\])(.*)$/.exec(type);
	if (list && type !== "[]byte")
		return (
			(list[1]?.startsWith("map") ? "{}" : list[1]) +
			qualify(list[2] as string, prefix)
		);
	if (type in scalars && !type.includes(".")) return type;
	const dotted = /^(\w+)\.(\w+)$/.exec(type);
	if (!dotted) return prefix + type;
	if (dotted[1] === "v1" || dotted[1] === "corev1") return dotted[2] as string;
	return dotted[1] === "metav1" ? `meta.${dotted[2]}` : type;
}

/** With aliases and scalars put in. */
function resolve(type: string): string {
	const outer = /^(\*|\[\]|\{\})(.*)$/.exec(type);
	if (outer && type !== "[]byte")
		return (outer[1] as string) + resolve(outer[2] as string);
	const scalar = scalars[type];
	if (scalar) return scalar;
	const alias = aliases.get(type);
	return alias ? resolve(alias) : type;
}

const wanted = [...roots];
const tables = new Map<string, string[]>();
for (const name of wanted) {
	const struct = structs.get(name);
	if (!struct) throw new Error(`no struct ${name}`);
	const prefix = sources[struct.source]?.prefix ?? "";
	const fields: string[] = [];
	let comments: string[] = [];
	for (const raw of struct.text) {
		const line = raw.trim();
		if (line.startsWith("//") || line === "") {
			comments.push(line);
			continue;
		}
		const field = /^(?:(\w+)\s+)?([\w.*[\]]+)\s+`(.*)`/.exec(line);
		if (field) {
			fields.push(render(field[1], field[2] as string, field[3] as string));
		}
		comments = [];
	}
	const table = tables.get(struct.source) ?? [];
	tables.set(struct.source, table);
	table.push(wrap(`${name}${struct.atomic ? "@" : ""}: ${fields.join("; ")}`));

	function render(
		goName: string | undefined,
		goType: string,
		tags: string,
	): string {
		const tag = (key: string) =>
			new RegExp(`(?:^| )${key}:"([^"]*)"`).exec(tags)?.[1];
		const marker = (key: string) =>
			comments.flatMap(
				(one) => new RegExp(`^// \\+${key}=(.*)$`).exec(one)?.[1] ?? [],
			);
		const [jsonName, ...json] = (tag("json") ?? "").split(",");
		const number = tag("protobuf")?.split(",")[1] ?? "0";
		const type = resolve(qualify(goType, prefix));
		const base = type.replace(/^(\*|\[\]|\{\})+/, "");
		if (structs.has(base) && !wanted.includes(base)) wanted.push(base);
		const inline = goName === undefined && !jsonName;
		const keys = marker("listMapKey").join(",");
		const merge = tag("patchStrategy")?.split(",") ?? [];
		const mergeKey = tag("patchMergeKey");
		const flags = [
			marker("listType")[0] === "map" ? `map(${keys})` : "",
			marker("listType")[0] === "set" ? "set" : "",
			[...marker("mapType"), ...marker("structType")].includes("atomic")
				? "atomic"
				: "",
			[...marker("structType")].includes("granular") ? "granular" : "",
			merge.includes("merge")
				? mergeKey
					? `merge(${mergeKey})`
					: "merge"
				: "",
			merge.includes("retainKeys") ? "retainKeys" : "",
			marker("default")[0]?.startsWith('"') ? `=${marker("default")[0]}` : "",
		].filter(Boolean);
		const zero = json.includes("omitzero")
			? "??"
			: json.includes("omitempty")
				? "?"
				: "";
		return [inline ? "~" : jsonName + zero, number, type, ...flags].join(" ");
	}
}

function wrap(text: string): string {
	const lines: string[] = [];
	let line = "";
	for (const part of text.split("; ")) {
		if (line && line.length + part.length > 110) {
			lines.push(`${line};`);
			line = `  ${part}`;
		} else line = line ? `${line}; ${part}` : part;
	}
	return [...lines, line].join("\n");
}

/** Types below Pod.spec apart from the others: each table stays readable. */
const podTypes =
	/^(Pod|Container|Volume|.*VolumeSource|.*Projection|.*Probe|.*Action|Env.*|Affinity|.*Affinity|.*Security.*|Lifecycle.*|.*Toleration|Topology.*|.*KeySelector|.*FieldSelector|KeyToPath|SELinux.*|Seccomp.*|AppArmor.*|Sysctl|Host.*|Resource(Claim|Req|Status|Health|Field).*|TypedLocal.*|Ephemeral.*|PreferredSch.*|WeightedPod.*|Windows.*|Capabilities|HTTP.*|PersistentVolume.*|Node(Affinity|SelectorT|SelectorR).*|NodeSelector|FileKey.*|Workload.*|Scheduling.*|ModifyVolume.*)/;
for (const [source, table] of tables) {
	const nameOf = (entry: string) => entry.split(/[@:]/)[0] as string;
	const parts =
		source === "core"
			? {
					core: table.filter((entry) => !podTypes.test(nameOf(entry))),
					pod: table.filter((entry) => podTypes.test(nameOf(entry))),
				}
			: { [source]: table };
	for (const [name, entries] of Object.entries(parts))
		writeFileSync(
			join(import.meta.dirname, `${name}.ts`),
			`// Written by generate.ts; the notation is explained in types.ts.\nexport const ${name} = \`\n${entries.join("\n")}\n\`;\n`,
		);
}
