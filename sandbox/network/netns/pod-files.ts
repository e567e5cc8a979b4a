import {
	existsSync,
	mkdirSync,
	readdirSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { FairleadError } from "../../../operator/errors.ts";
import { dirname, join, relative } from "node:path";

/** What has to be mounted where so that a pod sees its own files. */
export interface Mount {
	from: string;
	onto: string;
}

/**
 * Files that stand in for the machine's: each is written into `folder` and is to be bound over the one it replaces. A path
 * that this machine does not have cannot be bound over, and nothing may be made on the machine itself: there the nearest folder
 * that exists is replaced by one in which everything else is a link to the machine's.
 */
export class PodFiles {
	readonly mounts: readonly Mount[];
	readonly #folder: string;

	/** @throws NetworkUnavailable for a file in a folder at the root that this machine does not have */
	constructor(folder: string, files: Readonly<Record<string, string>>) {
		this.#folder = folder;
		mkdirSync(folder, { recursive: true, mode: 0o755 });
		const mounts: Mount[] = [];
		const standIns = new Map<string, string>();
		let count = 0;
		for (const [path, content] of Object.entries(files)) {
			if (existsSync(path)) {
				const from = join(folder, `file-${++count}`);
				writeFileSync(from, content);
				mounts.push({ from, onto: path });
				continue;
			}
			const parent = nearestFolder(path);
			let standIn = standIns.get(parent);
			if (!standIn) {
				standIn = join(folder, `folder-${++count}`);
				const machines = join(folder, `machine-${count}`);
				standIns.set(parent, standIn);
				mkdirSync(machines);
				linkEntries(parent, standIn, machines);
				mounts.push(
					{ from: parent, onto: machines },
					{ from: standIn, onto: parent },
				);
			}
			const own = join(standIn, relative(parent, path));
			mkdirSync(dirname(own), { recursive: true });
			// A link that leads nowhere is in the way.
			rmSync(own, { force: true });
			writeFileSync(own, content);
		}
		// A file in a folder that is replaced has to be bound after it.
		this.mounts = [
			...mounts.filter(({ onto }) => !(onto in files)),
			...mounts.filter(({ onto }) => onto in files),
		];
	}

	remove(): void {
		rmSync(this.#folder, { recursive: true, force: true });
	}
}

function nearestFolder(path: string): string {
	let folder = dirname(path);
	while (!existsSync(folder)) folder = dirname(folder);
	if (folder === "/")
		throw new FairleadError(
			"NetworkUnavailable",
			`a pod cannot have a file at ${path}: this machine has no folder /${path.split("/")[1]}`,
		);
	return folder;
}

function linkEntries(folder: string, into: string, machines: string): void {
	mkdirSync(into, { mode: 0o755 });
	for (const name of readdirSync(folder))
		symlinkSync(join(machines, name), join(into, name));
}
