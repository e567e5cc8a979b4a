import { lstat, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
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

/**
 * Folders of this user's sandboxes that run, the newest first. What another user calls so is not looked into: whoever is let
 * into a sandbox runs the programs that its folder leads to.
 */
export async function runningFolders(): Promise<string[]> {
	const found = (await ownFolders()).filter(({ pid }) => isAlive(pid));
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
	for (const { folder, pid } of await ownFolders())
		if (!isAlive(pid)) await rm(folder, { recursive: true, force: true });
}

interface RunFolder {
	folder: string;
	/** The process it is named for. */
	pid: number;
	/** Milliseconds since the epoch. */
	born: number;
}

async function ownFolders(): Promise<RunFolder[]> {
	const found: RunFolder[] = [];
	for (const name of await readdir(tmpdir())) {
		const pid = pidIn(name);
		if (pid === undefined) continue;
		const folder = join(tmpdir(), name);
		try {
			const { uid, birthtimeMs } = await lstat(folder);
			if (uid === process.getuid?.())
				found.push({ folder, pid, born: birthtimeMs });
		} catch (error) {
			// Its sandbox has just ended.
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		}
	}
	return found;
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
