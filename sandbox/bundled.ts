import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { parse, parseAllDocuments } from "yaml";
import type { KubeObject } from "../operator/api/meta.ts";

/** What the sandbox takes from the package's own files. */
export interface Bundled {
	/** The kinds of fairlead.dev: crds/. */
	crds: object[];
	/** examples/services/hello.yaml. */
	sample: KubeObject[];
}

/** One folder up when run from source, two when run from dist/. */
function inPackage(path: string): URL {
	return (
		["../", "../../"]
			.map((up) => new URL(up + path, import.meta.url))
			.find((url) => existsSync(url)) ?? new URL(`../${path}`, import.meta.url)
	);
}

/** Reads them. `fairlead sandbox` does that while the process that needs them is still being loaded: YAML takes its time. */
export async function readBundled(): Promise<Bundled> {
	const folder = inPackage("crds/");
	const files = (await readdir(folder)).filter((name) =>
		name.endsWith(".yaml"),
	);
	const [sample, ...crds] = await Promise.all(
		[
			inPackage("examples/services/hello.yaml"),
			...files.map((name) => new URL(name, folder)),
		].map((url) => readFile(url, "utf8")),
	);
	return {
		crds: crds.map((text) => parse(text) as object),
		sample: parseAllDocuments(sample ?? "").map(
			(document) => document.toJS() as KubeObject,
		),
	};
}
