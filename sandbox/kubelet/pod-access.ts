import type { Readable, Writable } from "node:stream";

/** What the API server asks of the node that runs a pod: `pods/log` and `pods/exec`. */
export interface PodAccess {
	/**
	 * What a container wrote, oldest first, stdout and stderr as they came; with `follow` it goes on until the container
	 * ends or the stream is destroyed.
	 *
	 * @throws PodAccessError
	 */
	logs(
		pod: { namespace: string; name: string },
		options: {
			container?: string;
			follow: boolean;
			previous: boolean;
			timestamps: boolean;
			/** Lines. */
			tail?: number;
			/** Milliseconds since the epoch. */
			since?: number;
			limitBytes?: number;
		},
	): Readable;

	/** Runs a command beside a running container. @throws PodAccessError */
	exec(
		pod: { namespace: string; name: string },
		options: {
			container?: string;
			command: readonly string[];
			stdin: boolean;
			tty: boolean;
		},
	): ExecSession;

	/** A connection to a port of the pod, from its node (port-forward). @throws PodAccessError */
	connect(
		pod: { namespace: string; name: string },
		port: number,
	): import("node:net").Socket;
}

export interface ExecSession {
	stdin: Writable | undefined;
	stdout: Readable;
	/** Absent with a tty. */
	stderr: Readable | undefined;
	/** Exit code, 128 + signal if one ended it; or why it could not be started. */
	ended: Promise<{ exitCode: number } | { problem: string }>;
	kill(): void;
}

/** The sentence a kubelet answers with, and the HTTP code it does that with. */
export class PodAccessError extends Error {
	readonly httpCode: 400 | 404 | 500;

	constructor(httpCode: PodAccessError["httpCode"], message: string) {
		super(message);
		this.httpCode = httpCode;
	}
}
