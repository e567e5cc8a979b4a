import { readdirSync, readFileSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { FairleadError } from "../../operator/errors.ts";
import type { Network, Place } from "./network.ts";
import { programPath } from "./programs.ts";

/** How another process of the same user finds a running sandbox' namespaces. */
const stateShape = z.object({
	/** Process number of `unshare`, from the machine. */
	pid: z.int().positive(),
	/** When that process started, in clock ticks since boot: numbers are used again. */
	startTime: z.string(),
	/** File descriptors of network namespaces in its child, by name of the place; -1 is the child's own. */
	places: z.record(z.string(), z.int()),
});

export type SandboxState = z.infer<typeof stateShape>;

/** What can be run in: `client`, `cloud` and the nodes by name. For the inner process to tell; it changes with the nodes. */
export function placesOf(
	network: Network,
	nodes: readonly (Place & { name: string })[],
): SandboxState["places"] {
	const places: Record<string, Place> = {
		client: network.outside,
		cloud: network.cloud,
	};
	for (const node of nodes) places[node.name] = node;
	return Object.fromEntries(
		Object.entries(places).map(([name, { namespace }]) => [
			name,
			namespace?.fd ?? -1,
		]),
	);
}

/** Writes the file; for the outer process. `pid` is Inside.pid. A reader sees the old or the new one. */
export async function writeState(
	file: string,
	pid: number,
	places: SandboxState["places"],
): Promise<void> {
	const state: SandboxState = {
		pid,
		startTime: startTimeOf(pid) ?? "",
		places,
	};
	await writeFile(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
	await rename(`${file}.new`, file);
}

/** @throws NetworkUnavailable if there is no such file, or the sandbox that wrote it is not running */
export async function readState(file: string): Promise<SandboxState> {
	let text: string;
	try {
		text = await readFile(file, "utf8");
	} catch (cause) {
		throw new FairleadError(
			"NetworkUnavailable",
			`no sandbox with namespaces has written ${file}`,
			{ cause },
		);
	}
	const state = stateShape.parse(JSON.parse(text));
	if (startTimeOf(state.pid) !== state.startTime)
		throw new FairleadError(
			"NetworkUnavailable",
			`the sandbox that wrote ${file} is not running any more`,
		);
	return state;
}

/**
 * A place by its name; or a container's main process, by its number inside the sandbox: what the kubelet writes as
 * `process://NUMBER` into the container's status.
 */
export type ExecTarget = { place: string } | { process: number };

/**
 * The command that runs `command` there, to be spawned with whatever streams it is to have: a terminal is passed through. In a
 * place it begins in `cwd` of the machine; in a container at the root.
 *
 * @throws NetworkUnavailable naming the places there are, if it is none of them
 */
export function commandIn(
	state: SandboxState,
	target: ExecTarget,
	command: readonly string[],
	cwd: string,
): string[] {
	const inner = onlyChild(state.pid);
	const nsenter = programPath("nsenter");
	const common = [
		nsenter,
		`--target=${inner}`,
		// Root needs no other user namespace, and an unprivileged user is root in this one without changing who he is.
		...(process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"]),
		"--mount",
		"--pid",
		"--uts",
		"--ipc",
	];
	if ("process" in target)
		return [
			...common,
			"--",
			// By the numbers that processes have in there.
			nsenter,
			`--target=${target.process}`,
			"--mount",
			"--pid",
			"--uts",
			"--ipc",
			"--net",
			"--",
			...command,
		];
	const fd = state.places[target.place];
	if (fd === undefined)
		throw new FairleadError(
			"NetworkUnavailable",
			`there is no ${target.place} in the sandbox; there are ${Object.keys(state.places).join(", ")}`,
		);
	return [
		...common,
		fd === -1 ? "--net" : `--net=/proc/${inner}/fd/${fd}`,
		"--",
		"/bin/sh",
		"-c",
		'cd "$1" && shift && exec "$@"',
		"sh",
		cwd,
		...command,
	];
}

function onlyChild(pid: number): number {
	for (const name of readdirSync("/proc")) {
		if (!/^\d+$/.test(name)) continue;
		if (statOf(Number(name))?.[1] === String(pid)) return Number(name);
	}
	throw new FairleadError("NetworkUnavailable", "the sandbox has just ended");
}

function startTimeOf(pid: number): string | undefined {
	return statOf(pid)?.[19];
}

/** The fields of /proc/PID/stat behind the name, which may hold anything (proc_pid_stat(5)): state, parent, … */
function statOf(pid: number): string[] | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	} catch {
		// It has ended.
		return undefined;
	}
}
