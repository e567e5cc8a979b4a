import type { Log } from "../../operator/log.ts";

export interface LogLine {
	level: "trace" | "debug" | "info" | "warn" | "error";
	fields: Record<string, unknown>;
	message: string;
}

/** A logger that keeps what it is told, so that a test can read it and the terminal stays quiet. */
export function quietLog(): Log & { lines: LogLine[] } {
	const lines: LogLine[] = [];
	const make = (bound: Record<string, unknown>): Log => {
		const at =
			(level: LogLine["level"]) =>
			(...args: unknown[]) => {
				const fields =
					typeof args[0] === "object"
						? { ...bound, ...(args[0] as Record<string, unknown>) }
						: bound;
				const message = args.find((arg) => typeof arg === "string") as
					| string
					| undefined;
				lines.push({ level, fields, message: message ?? "" });
			};
		return {
			trace: at("trace"),
			debug: at("debug"),
			info: at("info"),
			warn: at("warn"),
			error: at("error"),
			child: (bindings: Record<string, unknown>) =>
				make({ ...bound, ...bindings }),
		} as Log;
	};
	return Object.assign(make({}), { lines });
}
