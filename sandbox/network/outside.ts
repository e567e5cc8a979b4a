import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Writable } from "node:stream";
import type { Clock } from "../../operator/clock.ts";
import { FairleadError } from "../../operator/errors.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { ownNamespace } from "../../operator/kernel/namespaces.ts";
import { listenIn, portOf } from "../../operator/kernel/sockets.ts";
import { listenFailed } from "../../operator/probes/listen.ts";
import { programPath } from "./programs.ts";
import { whyNoNamespaces } from "./why-no-namespaces.ts";

/** How long the inner process may take to stop before it is killed. */
const patience = 10_000;

/** A socket that listens in the machine's own network, and takes no connection before a server is made of it. */
export interface Listener {
	fd: number;
	port: number;
}

/**
 * Listens on an IP address of this machine; port 0 is any free one.
 *
 * @throws ListenFailed
 */
export function openListener(address: string, port: number): Listener {
	try {
		const fd = listenIn(ownNamespace, address, port);
		return { fd, port: portOf(fd) };
	} catch (error) {
		// Only what the kernel says of the address or the port; where there is no such kernel, that is not about listening.
		if (!isFairleadError(error) || error.reason === undefined) throw error;
		throw listenFailed(
			`${address}:${port}`,
			Object.assign(error, { code: error.reason }),
		);
	}
}

export interface InsideOptions {
	/** Node, its flags, and a script that calls `receiveStart`. */
	command: readonly string[];
	env: Record<string, string>;
	/** Listening sockets by name, from `openListener`. They are the inner process' from now on, and closed here. */
	listeners: Readonly<Record<string, Listener>>;
	/** Gives what the inner process is to know: JSON. Called once, while that process is being loaded. */
	start: () => Promise<unknown>;
	/** What the inner process reports, in order: JSON. */
	onReport: (report: unknown) => void;
	stdout: Writable;
	stderr: Writable;
	clock: Clock;
}

/** The inner process, seen from the machine. */
export interface Inside {
	/** Process number of `unshare`; its only child is process 1 of the namespaces. */
	readonly pid: number;
	/** Resolves when the inner process runs; rejects with NetworkUnavailable and the step that failed. */
	readonly started: Promise<void>;
	/** Resolves when it and everything in its namespaces has ended. Never rejects. */
	readonly ended: Promise<{
		code: number | null;
		signal: NodeJS.Signals | null;
	}>;
	/** Asks it to stop, kills it if it does not, and resolves as `ended`. */
	stop(): Inside["ended"];
}

/**
 * Runs a command in network, mount, process, IPC and hostname namespaces of its own; without privileges in a user namespace of
 * its own as well, in which it is root. When it ends, or is killed, so is everything that it has started; when this process is
 * killed, it ends by itself. It has a session of its own, so that Ctrl-C reaches this process alone.
 *
 * @throws NetworkUnavailable where `unshare` is not installed
 */
export function startInside(options: InsideOptions): Inside {
	const { command, env, listeners, start, onReport, clock } = options;
	const names = Object.keys(listeners);
	const child = spawn(
		programPath("unshare"),
		[
			...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]),
			"--net",
			"--mount",
			"--uts",
			"--ipc",
			"--pid",
			"--fork",
			"--kill-child",
			"--mount-proc",
			"--",
			...command,
		],
		{
			env,
			detached: true,
			stdio: [
				"ignore",
				"pipe",
				"pipe",
				"ipc",
				...Object.values(listeners).map(({ fd }) => fd),
			],
		},
	);
	for (const { fd } of Object.values(listeners)) closeSync(fd);
	child.stdout?.pipe(options.stdout, { end: false });

	const ended = new Promise<Awaited<Inside["ended"]>>((resolve) => {
		child.once("error", () => resolve({ code: null, signal: null }));
		child.once("close", (code, signal) => resolve({ code, signal }));
	});
	// What `unshare` says when it cannot is told in better words, so nobody sees it before it is clear that it could.
	let words = "";
	const knowledge = start();
	// Awaited when the inner process asks for it; it may never.
	knowledge.catch(() => {});
	const listen = (chunk: Buffer) => {
		words += chunk;
	};
	child.stderr?.on("data", listen);
	const started = new Promise<void>((resolve, reject) => {
		child.once("message", () => {
			child.stderr?.off("data", listen);
			options.stderr.write(words);
			child.stderr?.pipe(options.stderr, { end: false });
			child.on("message", onReport);
			knowledge.then((known) => {
				child.send({ start: known, listeners: names }, () => {});
				resolve();
			}, reject);
		});
		child.once("error", (cause) =>
			reject(new FairleadError("NetworkUnavailable", cause.message, { cause })),
		);
		void ended.then(() =>
			reject(new FairleadError("NetworkUnavailable", whyNoNamespaces(words))),
		);
	});
	return {
		pid: child.pid ?? 0,
		started,
		ended,
		async stop() {
			if (child.connected) child.send({ stop: true }, () => {});
			const cancel = clock.after(patience, () => child.kill("SIGKILL"));
			try {
				return await ended;
			} finally {
				cancel();
			}
		},
	};
}
