import { parseArgs } from "node:util";
import type { z } from "zod";
import { FairleadError } from "../operator/errors.ts";

/** One flag of a command. Booleans take no value and can be negated (`--no-NAME`). */
export interface Flag<T extends z.ZodType = z.ZodType> {
	schema: T;
	/** What stands for the value in the help text; absent for a boolean. */
	value?: string;
	help: string;
}

export type Flags = Record<string, Flag>;

/** Values of a command's flags, after validation: `{ "metrics-port": 9090, … }`. */
export type FlagValues<F extends Flags> = {
	[K in keyof F]: z.output<F[K]["schema"]>;
};

/**
 * Parses what stands after the command's name. Throws FlagInvalid with one line that names the flag, the value and what
 * it takes.
 */
export function parseFlags<F extends Flags>(
	flags: F,
	args: string[],
): FlagValues<F> {
	const options = Object.fromEntries(
		Object.entries(flags).map(([name, flag]) => [
			name,
			{ type: flag.value ? ("string" as const) : ("boolean" as const) },
		]),
	);
	let given: Record<string, unknown>;
	try {
		given = parseArgs({ args, options, allowNegative: true }).values;
	} catch (cause) {
		const [line] = (cause as Error).message.split(". ");
		throw new FairleadError("FlagInvalid", line ?? "unreadable flags", {
			cause,
		});
	}
	const values: Record<string, unknown> = {};
	for (const [name, flag] of Object.entries(flags)) {
		const result = flag.schema.safeParse(given[name]);
		if (!result.success) {
			const [issue] = result.error.issues;
			throw new FairleadError(
				"FlagInvalid",
				given[name] === undefined
					? `--${name} is missing: ${flag.help}`
					: `--${name} ${JSON.stringify(given[name])}: ${issue?.message ?? "not understood"}`,
			);
		}
		values[name] = result.data;
	}
	return values as FlagValues<F>;
}

/** Lines of help, one a flag, aligned, each with its default where it has one. */
export function describeFlags(flags: Flags): string {
	const rows = Object.entries(flags).map(([name, flag]) => {
		const fallback = flag.schema.safeParse(undefined);
		const shown =
			fallback.success && fallback.data !== undefined && fallback.data !== false
				? ` (default ${formatDefault(fallback.data)})`
				: "";
		const negated = !flag.value && fallback.data === true ? "no-" : "";
		return [
			`  --${negated}${name}${flag.value ? ` ${flag.value}` : ""}`,
			`${flag.help}${negated ? "" : shown}`,
		] as const;
	});
	const width = Math.max(...rows.map(([left]) => left.length)) + 2;
	return rows.map(([left, right]) => left.padEnd(width) + right).join("\n");
}

function formatDefault(value: unknown): string {
	if (Array.isArray(value)) return value.map(formatDefault).join(",");
	if (typeof value === "object" && value !== null && "host" in value) {
		const { host, port } = value as { host: string; port: number };
		return `${host}:${port}`;
	}
	return String(value);
}
