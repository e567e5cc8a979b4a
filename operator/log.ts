import type { Logger } from "pino";

/** What parts of Fairlead may do with a logger: say something, or narrow it to a subject. Made in cli/, passed in. */
export type Log = Pick<
	Logger,
	"trace" | "debug" | "info" | "warn" | "error"
> & { child(bindings: Record<string, unknown>): Log };
