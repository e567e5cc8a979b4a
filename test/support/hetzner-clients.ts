import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const sources = join(import.meta.dirname, "../../tools/hetzner-clients");

/**
 * The command lines of Hetzner's clients, found by the rule of `tools/hetzner-clients/build.sh`. Builds nothing; throws
 * with the command to run when they are missing.
 */
export function hetznerClients(
	env: NodeJS.ProcessEnv = process.env,
): Record<"hcloud-go" | "hcloud-python", [string, ...string[]]> {
	const hash = createHash("sha256");
	for (const file of [
		"go.mod",
		"go.sum",
		"main.go",
		"requirements.txt",
		"build.sh",
	])
		hash.update(readFileSync(join(sources, file)));
	const folder = join(
		env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache"),
		"fairlead/hetzner-clients",
		hash.digest("hex").slice(0, 16),
	);
	if (!existsSync(join(folder, "done")))
		throw new Error(
			`Hetzner's clients are not in ${folder}; build with: tools/hetzner-clients/build.sh`,
		);
	return {
		"hcloud-go": [join(folder, "life")],
		"hcloud-python": [
			join(folder, "python/bin/python"),
			join(sources, "life.py"),
		],
	};
}
