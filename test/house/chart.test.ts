import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { agentFlags, controllerFlags } from "../../cli/config.ts";
import type { Flags } from "../../cli/flags.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), "utf8");

interface Schema {
	description?: string;
	type?: string;
	enum?: unknown[];
	pattern?: string;
	properties?: Record<string, Schema>;
	additionalProperties?: unknown;
	items?: Schema;
}
const schema = JSON.parse(read("helm/fairlead/values.schema.json")) as Schema;
const values = parse(read("helm/fairlead/values.yaml")) as Record<
	string,
	unknown
>;

/** Every schema below, by the path of the value it is about. */
function* described(at: string, one: Schema): Generator<[string, Schema]> {
	yield [at, one];
	for (const [name, each] of Object.entries(one.properties ?? {}))
		yield* described(at ? `${at}.${name}` : name, each);
	if (one.items?.properties) yield* described(`${at}[]`, one.items);
}

/** Paths of the values that are set, as deep as the schema has names. */
function* pathsOf(
	at: string,
	value: unknown,
	one: Schema | undefined,
): Generator<string> {
	if (at) yield at;
	if (!one?.properties || typeof value !== "object" || value === null) return;
	for (const [name, each] of Object.entries(value))
		yield* pathsOf(at ? `${at}.${name}` : name, each, one.properties[name]);
}

describe("helm/fairlead", () => {
	it("carries every kind of crds/, byte for byte (else: cp crds/*.yaml helm/fairlead/crds/)", () => {
		const names = (folder: string) => readdirSync(new URL(folder, root)).sort();
		expect(names("helm/fairlead/crds")).toEqual(names("crds"));
		expect(
			names("crds").filter(
				(name) => read(`crds/${name}`) !== read(`helm/fairlead/crds/${name}`),
			),
		).toEqual([]);
	});

	it("has the package's version", () => {
		const { version } = JSON.parse(read("package.json")) as { version: string };
		const found = parse(read("helm/fairlead/Chart.yaml")) as object;
		expect(found).toMatchObject({ version, appVersion: version });
	});

	it.each([...described("", schema)].filter(([at]) => at))(
		"says what value %s means",
		(at, { description, properties, additionalProperties }) => {
			if (!at.endsWith("[]")) expect(description).toMatch(/\w.*\.$/);
			if (properties) expect(additionalProperties).toBe(false);
		},
	);

	it.each<[string, Flags]>([
		["controller", controllerFlags],
		["agent", agentFlags],
	])(
		"takes for %s.extraArgs the flags the command has, and no others",
		(part, flags) => {
			const pattern = new RegExp(
				schema.properties?.[part]?.properties?.["extraArgs"]?.items?.pattern ??
					"",
			);
			const [, named = ""] = /\(no-\)\?\(([^)]*)\)/.exec(pattern.source) ?? [];
			expect(named.split("|").sort()).toEqual(Object.keys(flags).sort());
			expect("--log-level=debug").toMatch(pattern);
			expect("--log-levels=debug").not.toMatch(pattern);
		},
	);

	it("offers no way to carry rules that the agent does not take", () => {
		const offered = schema.properties?.["agent"]?.properties?.["rules"]?.enum;
		const takes = (mode: unknown) =>
			agentFlags.rules.schema.safeParse(mode).success;
		expect(offered).toEqual(
			["full", "balancers", "audit", "off"].filter(takes),
		);
	});

	it.each([
		["balancerClasses", "balancerclass"],
		["addressPools", "addresspool"],
	])(
		"knows for each of %s the fields its kind has, and no others",
		(value, kind) => {
			const crd = parse(read(`crds/${kind}.yaml`)) as {
				spec: {
					versions: {
						schema: { openAPIV3Schema: { properties: { spec: Schema } } };
					}[];
				};
			};
			const [version] = crd.spec.versions;
			const fields = (at: string, one: Schema | undefined): string[] =>
				Object.entries(one?.properties ?? {}).flatMap(([name, each]) => [
					`${at}${name}`,
					...fields(`${at}${name}.`, each),
					...fields(`${at}${name}[].`, each.items),
				]);
			expect(
				fields(
					"",
					schema.properties?.[value]?.additionalProperties as Schema,
				).sort(),
			).toEqual(
				fields("", version?.schema.openAPIV3Schema.properties.spec).sort(),
			);
		},
	);

	it("gives every value it knows a default, and knows every value it gives", () => {
		const known = [...described("", schema)]
			.map(([at]) => at)
			.filter((at) => at && at !== "global" && !at.includes("[]"));
		expect([...pathsOf("", values, schema)].sort()).toEqual(known.sort());
	});
});

describe("Dockerfile", () => {
	const text = read("Dockerfile");

	it("starts from the major version of Node that the package pins", () => {
		const { optionalDependencies } = JSON.parse(read("package.json")) as {
			optionalDependencies: Record<string, string>;
		};
		const pinned = Object.values(optionalDependencies)[0]?.split(".")[0];
		const bases = [...text.matchAll(/^FROM node:(\d+)-slim/gm)];
		expect(bases.map(([, major]) => major)).toEqual([pinned, pinned]);
	});

	it("runs as the user that the chart's Pods run as", () => {
		const deployment = read("helm/fairlead/templates/deployment.yaml");
		const [, user] = /runAsUser: (\d+)/.exec(deployment) ?? [];
		expect(text).toMatch(new RegExp(`^USER ${user}:${user}$`, "m"));
	});
});
