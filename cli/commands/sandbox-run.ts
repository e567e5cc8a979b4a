import type { Runtime } from "../runtime.ts";

export interface RunOptions {
	nodes: number;
	/** Undefined: the usual one, or the next free one. */
	ports: {
		api: number | undefined;
		cloud: number | undefined;
		door: number | undefined;
	};
	/** Of this run alone. */
	folder: string;
	dataDir: string | undefined;
	logLevel: "trace" | "debug" | "info" | "warn" | "error";
	runtime: Runtime;
}

/** A sandbox that is ready, whichever process it runs in. */
export interface RunningSandbox {
	dashboard: string;
	kubeconfigPath: string;
	/** `HOST:PORT`. */
	door: string;
	/** Of the sample Service, when somebody answers there. */
	address: Promise<string>;
	/** Rejects when the sandbox ends without having been asked to. */
	failed: Promise<never>;
	close(): Promise<void>;
}
