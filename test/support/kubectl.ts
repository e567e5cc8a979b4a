import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { binariesFolder } from "./cluster-binaries.ts";

export interface KubectlAnswer {
	code: number;
	stdout: string;
	stderr: string;
}

/** The real kubectl, as one user of one server; made by `kubectlFor`. */
export interface Kubectl {
	/** Runs to the end. `env` is added to an environment that is otherwise empty. */
	run(
		args: readonly string[],
		more?: { stdin?: string; env?: Record<string, string> },
	): Promise<KubectlAnswer>;
	/** Starts one that goes on; whoever starts it ends it. */
	start(args: readonly string[]): ReturnType<typeof spawn>;
	/** HOME of every run: caches, and files for `-f`. */
	folder: string;
	/** Removes the folder. */
	close(): void;
}

/** `kubeconfig`: its text. */
export function kubectlFor(kubeconfig: string): Kubectl {
	const folder = mkdtempSync(join(tmpdir(), "fairlead-kubectl-"));
	const path = join(folder, "config");
	writeFileSync(path, kubeconfig, { mode: 0o600 });
	const program = join(binariesFolder(["kubectl"]), "kubectl");
	const start: Kubectl["start"] = (args) => launch(args, {});
	function launch(args: readonly string[], env: Record<string, string>) {
		return spawn(program, args, {
			cwd: folder,
			env: {
				PATH: process.env["PATH"],
				HOME: folder,
				KUBECONFIG: path,
				...env,
			},
		});
	}
	return {
		folder,
		start,
		async run(args, { stdin = "", env = {} } = {}) {
			const child = launch(args, env);
			const ended = new Promise<number>((resolve, reject) => {
				child.on("error", reject);
				child.on("close", (code, signal) =>
					code === null
						? reject(new Error(`kubectl ${args.join(" ")} ended by ${signal}`))
						: resolve(code),
				);
			});
			// kubectl may end without reading all it is given: its exit code tells, not the broken pipe.
			child.stdin.on("error", () => {});
			child.stdin.end(stdin);
			const [code, stdout, stderr] = await Promise.all([
				ended,
				text(child.stdout),
				text(child.stderr),
			]);
			return { code, stdout, stderr };
		},
		close: () => rmSync(folder, { recursive: true, force: true }),
	};
}
