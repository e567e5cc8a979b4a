import { parseArgs } from "node:util";
import { printTable } from "./table.ts";

/** What one benchmark found: figures by the names docs/reference/performance.md uses, and who it was compared with. */
export interface BenchResult {
	figures: Record<string, number>;
	/** Name and version of what stood beside it; absent: nothing did. */
	peer?: string;
	/** What the reader must know to judge the figures: sizes, counts, what was left out and why. */
	notes?: string[];
}

export interface BenchOptions {
	/** Fewer rounds: to see that it runs, not to quote it. */
	quick: boolean;
	/** Only these of its parts; empty: all. */
	parts: readonly string[];
	/** Says how far it is, on standard error. */
	progress: (line: string) => void;
}

interface Bench {
	bench: (options: BenchOptions) => Promise<BenchResult>;
	/** What `--part` may name; absent: it is measured as a whole. */
	parts?: readonly string[];
}

const benches: Record<string, () => Promise<Bench>> = {
	controller: () => import("./controller.ts"),
	dns: () => import("./dns.ts"),
	rules: () => import("./rules.ts"),
	sandbox: () => import("./sandbox.ts"),
};

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		json: { type: "boolean" },
		quick: { type: "boolean" },
		part: { type: "string", multiple: true, default: [] },
	},
});
const [name = ""] = positionals;
const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (!load || positionals.length !== 1) {
	process.stderr.write(
		`npm run bench -- ${Object.keys(benches).join("|")} [--json] [--quick] [--part PART]…\n`,
	);
	process.exit(2);
}
const { bench, parts = [] } = await load();
const unknown = values.part.filter((part) => !parts.includes(part));
if (unknown.length > 0) {
	process.stderr.write(
		`${name} has no part ${unknown.join(", ")}; it has ${parts.join(", ") || "none"}\n`,
	);
	process.exit(2);
}
const result = await bench({
	quick: values.quick ?? false,
	parts: values.part,
	progress: (line) => process.stderr.write(`${line}\n`),
});
if (values.json)
	process.stdout.write(`${JSON.stringify({ bench: name, ...result })}\n`);
else {
	printTable(result.figures);
	for (const note of result.notes ?? []) process.stdout.write(`${note}\n`);
}
