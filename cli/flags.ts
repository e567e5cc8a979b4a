import { parseArgs } from "node:util";
import type { z } from "zod";
import { FairleadError } from "../operator/errors.ts";
import {
	formatPortRange,
	type PortRange,
} from "../operator/model/nodeports/port-range.ts";
import { quote } from "../operator/model/quote.ts";

/** One flag of a command. Booleans take no value and can be negated (`--no-NAME`). */
export interface Flag<T extends z.ZodType = z.ZodType> {
	schema: T;
	/** What stands for the value in the help text; absent for a boolean. */
	value?: string;
	/** One letter: `-o`. */
	short?: string;
	/** May be given several times; its schema takes a list. */
	multiple?: true;
	/** Of a boolean that is true by default, what `--no-NAME` does, for that is what help shows. */
	help: string;
}

/** What a command takes beside its flags, once. */
export interface Argument<T extends z.ZodType = z.ZodType> {
	schema: T;
	/** What stands for it in the help text: `NAMESPACE/NAME`. */
	value: string;
	help: string;
}

export type Flags = Record<string, Flag>;

/** Values of a command's flags, after validation: `{ "metrics-port": 9090, … }`. */
export type FlagValues<F extends Flags> = {
	[K in keyof F]: z.output<F[K]["schema"]>;
};

/**
 * Parses what stands after the command's name; the argument, if the command takes one, becomes the value `argument`.
 * Throws FlagInvalid with one line that names the flag, the value and what it takes.
 */
export function parseFlags<F extends Flags>(
	flags: F,
	args: string[],
	argument?: Argument,
): FlagValues<F> & { argument?: unknown } {
	const options = Object.fromEntries(
		Object.entries(flags).map(([name, { value, short, multiple }]) => [
			name,
			{
				type: value ? ("string" as const) : ("boolean" as const),
				...(short ? { short } : {}),
				...(multiple ? { multiple } : {}),
			},
		]),
	);
	let given: Record<string, unknown>;
	let positionals: string[];
	try {
		({ values: given, positionals } = parseArgs({
			args,
			options,
			allowNegative: true,
			allowPositionals: argument !== undefined,
		}));
	} catch (cause) {
		const [line] = (cause as Error).message.split(". ");
		throw new FairleadError(
			"FlagInvalid",
			inOneLine(line ?? "unreadable flags"),
			{ cause },
		);
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
					: `--${name} ${shown(given[name])}: ${inOneLine(issue?.message ?? "not understood")}`,
			);
		}
		values[name] = result.data;
	}
	if (argument) values["argument"] = parseArgument(argument, positionals);
	return values as FlagValues<F>;
}

function parseArgument(
	{ schema, value }: Argument,
	[first, second]: string[],
): unknown {
	if (second !== undefined)
		throw new FairleadError(
			"FlagInvalid",
			`one ${value} at a time, not ${shown(first)} and ${shown(second)}`,
		);
	const result = schema.safeParse(first);
	if (result.success) return result.data;
	const [issue] = result.error.issues;
	throw new FairleadError(
		"FlagInvalid",
		first === undefined
			? `${value} is missing`
			: `${shown(first)}: ${inOneLine(issue?.message ?? "not understood")}`,
	);
}

/** A value as it was given, of bearable length; several with commas between. */
function shown(value: unknown): string {
	return [value]
		.flat()
		.map((each) => quote(String(each)))
		.join(", ");
}

/** A message that may repeat what a user wrote. */
function inOneLine(message: string): string {
	const line = message.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
	return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}

/** Lines of help, one a flag, aligned, each with its default where it has one. */
export function describeFlags(flags: Flags): string {
	const rows = Object.entries(flags).map(([name, flag]) => {
		const fallback = flag.schema.safeParse(undefined);
		const shown =
			fallback.success &&
			fallback.data !== undefined &&
			fallback.data !== false &&
			formatDefault(fallback.data) !== ""
				? ` (default ${formatDefault(fallback.data)})`
				: "";
		const negated = !flag.value && fallback.data === true ? "no-" : "";
		return [
			`  ${flag.short ? `-${flag.short}, ` : ""}--${negated}${name}${flag.value ? ` ${flag.value}` : ""}`,
			`${flag.help}${negated ? "" : shown}`,
		] as const;
	});
	const width = Math.max(...rows.map(([left]) => left.length)) + 2;
	return rows.map(([left, right]) => left.padEnd(width) + right).join("\n");
}

function formatDefault(value: unknown): string {
	if (Array.isArray(value)) return value.map(formatDefault).join(",");
	if (typeof value === "object" && value !== null && "first" in value)
		return formatPortRange(value as PortRange);
	if (typeof value === "object" && value !== null && "host" in value) {
		const { host, port } = value as { host: string; port: number };
		return `${host}:${port}`;
	}
	return String(value);
}
