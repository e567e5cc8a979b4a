import { z } from "zod";
import type { Bundled } from "../../sandbox/bundled.ts";

/** What `fairlead sandbox` tells the process it starts in namespaces. */
export const insideStart = z.object({
	nodes: z.number(),
	folder: z.string(),
	dataDir: z.string().optional(),
	/** As read by `readBundled`. */
	bundled: z.custom<Bundled>((value) => typeof value === "object"),
	/** PATH of what pods run. */
	path: z.string(),
	log: z.object({
		level: z.enum(["trace", "debug", "info", "warn", "error"]),
		pretty: z.boolean(),
		colour: z.boolean(),
	}),
});
export type InsideStart = z.infer<typeof insideStart>;

/** What that process tells back, in this order. */
export const insideReport = z.union([
	z.object({
		ready: z.object({
			dashboard: z.string(),
			kubeconfigPath: z.string(),
			door: z.string(),
			/** File descriptors of its namespaces, for `sandbox exec`. */
			places: z.record(z.string(), z.int()),
		}),
	}),
	z.object({ address: z.string() }),
	z.object({ failed: z.object({ code: z.string(), message: z.string() }) }),
]);
export type InsideReport = z.infer<typeof insideReport>;
