import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A program that `tools/kubernetes/build.sh` builds. */
export type Component =
	| "coredns"
	| "etcd"
	| "helm"
	| "kube-apiserver"
	| "kube-controller-manager"
	| "kube-proxy"
	| "kubectl";

const sources = join(import.meta.dirname, "../../tools/kubernetes");

/**
 * The folder that holds `components`, found by the rule of `tools/kubernetes/build.sh`: `KUBEBUILDER_ASSETS` if all are
 * there, else the cache folder of the pinned versions. Builds nothing; throws with the command to run when one is missing.
 */
export function binariesFolder(
	components: readonly Component[],
	env: NodeJS.ProcessEnv = process.env,
): string {
	const missing = (folder: string) =>
		components.filter((component) => !isExecutable(join(folder, component)));
	const assets = env["KUBEBUILDER_ASSETS"];
	if (assets && missing(assets).length === 0) return assets;
	const cache = cacheFolder(env);
	const lacking = missing(cache);
	if (lacking.length === 0) return cache;
	const also = assets ? ` nor all of them in KUBEBUILDER_ASSETS=${assets}` : "";
	throw new Error(
		`${lacking.join(", ")} not found in ${cache}${also}; build with: tools/kubernetes/build.sh ${components.join(" ")}`,
	);
}

function cacheFolder(env: NodeJS.ProcessEnv): string {
	const hash = createHash("sha256");
	for (const file of ["go.mod", "go.sum", "coredns/main.go", "build.sh"])
		hash.update(readFileSync(join(sources, file)));
	return join(
		env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache"),
		"fairlead/kubernetes",
		hash.digest("hex").slice(0, 16),
	);
}

function isExecutable(file: string): boolean {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}
