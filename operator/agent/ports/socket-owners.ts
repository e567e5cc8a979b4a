import { readdir, readFile, readlink } from "node:fs/promises";

export interface SocketOwner {
	pid: number;
	/** As the kernel cuts it, 15 characters. */
	name: string;
}

/**
 * Which processes have the sockets with these inodes open; those that cannot be seen, for want of the host's PID namespace
 * or of privileges, are not in the answer. Processes end while it looks: what is gone is passed over.
 */
export async function socketOwners(
	inodes: ReadonlySet<string>,
	proc = "/proc",
): Promise<Map<string, SocketOwner>> {
	const owners = new Map<string, SocketOwner>();
	if (inodes.size === 0) return owners;
	for (const entry of await readdir(proc)) {
		if (!/^\d+$/.test(entry)) continue;
		for (const file of await listed(`${proc}/${entry}/fd`)) {
			const [, inode] =
				/^socket:\[(\d+)\]$/.exec(
					await target(`${proc}/${entry}/fd/${file}`),
				) ?? [];
			if (inode === undefined || !inodes.has(inode) || owners.has(inode))
				continue;
			const name = await content(`${proc}/${entry}/comm`);
			owners.set(inode, { pid: Number(entry), name: name.trim() });
		}
		if (owners.size === inodes.size) break;
	}
	return owners;
}

const listed = (path: string) => orIfHidden(readdir(path), []);
const target = (path: string) => orIfHidden(readlink(path), "");
const content = (path: string) => orIfHidden(readFile(path, "utf8"), "");

async function orIfHidden<T>(reading: Promise<T>, instead: T): Promise<T> {
	try {
		return await reading;
	} catch (error) {
		const { code = "" } = error as NodeJS.ErrnoException;
		if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(code)) return instead;
		throw error;
	}
}
