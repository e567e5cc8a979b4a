import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** State of a listening socket in /proc/net/tcp (TCP_LISTEN). */
const LISTEN = "0A";

/**
 * Where processes of these process groups listen on `port`, on Linux: what a program that knows nothing of the sandbox really
 * bound. Undefined where none of them does, and on other systems.
 */
export function boundAt(
	groups: ReadonlySet<number>,
	port: number,
): { host: string; port: number } | undefined {
	if (process.platform !== "linux" || groups.size === 0) return undefined;
	const listening = new Map([
		...listeners("/proc/net/tcp", port, ipv4Of),
		...listeners("/proc/net/tcp6", port, () => "::1"),
	]);
	if (listening.size === 0) return undefined;
	for (const pid of readdirSync("/proc")) {
		if (!/^\d+$/.test(pid) || !groups.has(groupOf(pid) ?? 0)) continue;
		for (const inode of socketsOf(pid)) {
			const host = listening.get(inode);
			if (host !== undefined) return { host, port };
		}
	}
	return undefined;
}

/** Addresses of listening sockets by inode; the unspecified address is reached by loopback. */
function listeners(
	file: string,
	port: number,
	addressOf: (hex: string) => string,
): [inode: string, host: string][] {
	const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
	return lines(file).flatMap((line) => {
		const fields = line.trim().split(/\s+/);
		const [address = "", at] = (fields[1] ?? "").split(":");
		const inode = fields[9];
		return fields[3] === LISTEN && at === hexPort && inode !== undefined
			? [[inode, addressOf(address)]]
			: [];
	});
}

function ipv4Of(hex: string): string {
	const address = [...Buffer.from(hex, "hex")].reverse().join(".");
	return address === "0.0.0.0" ? "127.0.0.1" : address;
}

function lines(file: string): string[] {
	try {
		return readFileSync(file, "utf8").split("\n");
	} catch {
		// A kernel without IPv6 has no such file.
		return [];
	}
}

function groupOf(pid: string): number | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]);
	} catch {
		// It has ended.
		return undefined;
	}
}

function socketsOf(pid: string): string[] {
	try {
		return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
			const inode = /^socket:\[(\d+)\]$/.exec(
				readlinkSync(`/proc/${pid}/fd/${fd}`),
			)?.[1];
			return inode === undefined ? [] : [inode];
		});
	} catch {
		// It has ended.
		return [];
	}
}
