#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { run } from "./run.js";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const built = at("../dist/cli/main.js"); // an installed package: Node refuses to strip types under node_modules
run(
	[
		"--disable-warning=ExperimentalWarning",
		existsSync(built) ? built : at("../cli/main.ts"),
		...process.argv.slice(2),
	],
	// Node keeps what it has compiled there, and starts in half the time; where it may not write it does without.
	{ NODE_COMPILE_CACHE: at("../node_modules/.cache/fairlead") },
);
