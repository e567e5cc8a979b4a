import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Connection } from "../../operator/cluster/connection.ts";
import {
	type KubeconfigSources,
	loadConnection,
} from "../../operator/cluster/kubeconfig.ts";
import { FakeClock } from "./fake-clock.ts";
import { quietLog } from "./quiet-log.ts";

/** What a test changes of a kubeconfig that works. */
export interface Parts {
	cluster?: object;
	user?: object;
	context?: object;
	top?: object;
}

export function kubeconfig({
	cluster = {},
	user = { token: "t0ken" },
	context = {},
	top = {},
}: Parts = {}): object {
	return {
		apiVersion: "v1",
		kind: "Config",
		"current-context": "main",
		contexts: [
			{ name: "main", context: { cluster: "c", user: "u", ...context } },
		],
		clusters: [
			{ name: "c", cluster: { server: "https://192.0.2.1:6443", ...cluster } },
		],
		users: [{ name: "u", user }],
		...top,
	};
}

/** A folder of kubeconfigs; `remove` it in afterAll. */
export class KubeconfigFiles {
	readonly folder = mkdtempSync(join(tmpdir(), "fairlead-kubeconfig-"));
	#count = 0;

	/** Resolves with the path. */
	async write(
		content: string | object,
		name = `config-${++this.#count}`,
	): Promise<string> {
		const path = join(this.folder, name);
		await writeFile(
			path,
			typeof content === "string" ? content : stringify(content),
		);
		return path;
	}

	remove(): void {
		rmSync(this.folder, { recursive: true });
	}
}

export function load(sources: Partial<KubeconfigSources>): Promise<Connection> {
	return loadConnection({
		clock: new FakeClock(),
		log: quietLog(),
		...sources,
	});
}

export const base64 = (text: string) => Buffer.from(text).toString("base64");
