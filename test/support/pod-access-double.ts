import { spawn } from "node:child_process";
import { connect } from "node:net";
import { PassThrough, Readable } from "node:stream";
import {
	type ExecSession,
	type PodAccess,
	PodAccessError,
} from "../../sandbox/kubelet/pod-access.ts";

/** A kubelet whose containers are this machine: commands are its processes, ports its loopback ports. */
export interface PodAccessDouble extends PodAccess {
	/** What was asked for, in order. */
	asked: unknown[];
	/** Resolves when a command has been ended from outside. */
	killed: Promise<void>;
	/** Open logs that are followed. */
	followed: PassThrough[];
}

export function podAccessDouble(lines: readonly string[]): PodAccessDouble {
	const asked: unknown[] = [];
	const followed: PassThrough[] = [];
	const killed = Promise.withResolvers<void>();
	return {
		asked,
		followed,
		killed: killed.promise,
		logs(pod, options) {
			asked.push({ pod, options });
			if (options.previous)
				throw new PodAccessError(
					400,
					`previous terminated container "${options.container}" in pod "${pod.name}" not found`,
				);
			const shown = lines
				.slice(options.tail === undefined ? 0 : -options.tail)
				.map((line) => `${line}\n`);
			if (!options.follow)
				return Readable.from(shown.map((line) => Buffer.from(line)));
			const stream = new PassThrough();
			for (const line of shown) stream.write(line);
			followed.push(stream);
			return stream;
		},
		exec(pod, options) {
			asked.push({ pod, options });
			const [command = "", ...args] = options.command;
			if (command === "absent")
				throw new PodAccessError(404, 'container not found ("web")');
			const child = spawn(command, args, {
				stdio: [options.stdin ? "pipe" : "ignore", "pipe", "pipe"],
			});
			const ended = new Promise<Awaited<ExecSession["ended"]>>((resolve) => {
				child.on("error", (error) => resolve({ problem: error.message }));
				child.on("close", (code, signal) => {
					if (signal) killed.resolve();
					resolve({ exitCode: code ?? 137 });
				});
			});
			return {
				stdin: child.stdin ?? undefined,
				stdout: child.stdout as Readable,
				stderr: options.tty ? undefined : (child.stderr as Readable),
				ended,
				kill: () => child.kill("SIGKILL"),
			};
		},
		connect(pod, port) {
			asked.push({ pod, port });
			return connect({ host: "127.0.0.1", port, allowHalfOpen: true });
		},
	};
}
