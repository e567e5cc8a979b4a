import type { LevelWithSilent } from "pino";
import type { Log } from "../operator/log.ts";

/** Logs to standard error: one JSON object a line, or lines for people when it is a terminal. */
export async function createLog(
	level: LevelWithSilent,
	terminal: boolean,
	colour: boolean,
): Promise<Log> {
	// Loaded by those who log: `fairlead sandbox` itself does not.
	const { default: pino } = await import("pino");
	const options = {
		level,
		base: null,
		timestamp: pino.stdTimeFunctions.isoTime,
		formatters: { level: (label: string) => ({ level: label }) },
	};
	if (!terminal) {
		const plain: Log = pino(options, pino.destination({ fd: 2, sync: true }));
		return plain;
	}
	const { default: pretty } = await import("pino-pretty");
	const forPeople: Log = pino(
		options,
		pretty({
			destination: 2,
			sync: true,
			colorize: colour,
			translateTime: "SYS:HH:MM:ss",
			ignore: "hostname,pid",
		}),
	);
	return forPeople;
}
