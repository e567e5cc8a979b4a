import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FairleadError } from "../operator/errors.ts";

const prefix = "fairlead-sandbox-";

/** A folder for one run of a sandbox; folders of runs that were killed are swept away. */
export async function runFolder(pid: number): Promise<string> {
	await sweep();
	return mkdtemp(join(tmpdir(), `${prefix}${pid}-`));
}

/** Where a run in namespaces says how to get into them. */
export function stateFile(folder: string): string {
	return join(folder, "state.json");
}

/** Folders of sandboxes that run, the newest first. */
export async function runningFolders(): Promise<string[]> {
	const found: { folder: string; born: number }[] = [];
	for (const name of await readdir(tmpdir())) {
		const pid = pidIn(name);
		if (pid === undefined || !isAlive(pid)) continue;
		const folder = join(tmpdir(), name);
		found.push({ folder, born: (await stat(folder)).mtimeMs });
	}
	return found.sort((a, b) => b.born - a.born).map(({ folder }) => folder);
}

/** Makes the folder of --data, whole path. Throws StoreUnusable. */
export async function dataFolder(path: string): Promise<void> {
	try {
		await mkdir(path, { recursive: true, mode: 0o700 });
	} catch (cause) {
		throw new FairleadError(
			"StoreUnusable",
			`--data ${path}: ${(cause as Error).message}`,
			{ cause },
		);
	}
}

async function sweep(): Promise<void> {
	for (const name of await readdir(tmpdir())) {
		const pid = pidIn(name);
		if (pid === undefined || isAlive(pid)) continue;
		try {
			await rm(join(tmpdir(), name), { recursive: true, force: true });
		} catch (error) {
			// Another user's: that user's next sandbox sweeps it.
			const { code } = error as NodeJS.ErrnoException;
			if (code !== "EPERM" && code !== "EACCES") throw error;
		}
	}
}

/** The process that a folder of ours is named for. */
function pidIn(name: string): number | undefined {
	const [, pid] = /^fairlead-sandbox-(\d+)-/.exec(name) ?? [];
	return pid === undefined ? undefined : Number(pid);
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EPERM";
	}
}
