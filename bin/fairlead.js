#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { run } from "./run.js";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
// Roles that hold a cluster in memory for months: V8's young generation, made for short work, would be a third of theirs.
const lean = new Set(["controller", "agent", "dns"]);
const built = at("../dist/cli/main.js"); // an installed package: Node refuses to strip types under node_modules
run(
	[
		"--disable-warning=ExperimentalWarning",
		...(lean.has(process.argv[2]) ? ["--max-semi-space-size=4"] : []),
		existsSync(built) ? built : at("../cli/main.ts"),
		...process.argv.slice(2),
	],
	// Node keeps what it has compiled there, and starts in half the time; where it may not write it does without.
	{ NODE_COMPILE_CACHE: at("../node_modules/.cache/fairlead") },
);
