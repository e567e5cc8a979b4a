import { connect, type Socket } from "node:net";
import type { Clock } from "../../../operator/clock.ts";

/**
 * Opens a connection to a target.
 *
 * Rejects when it is refused, takes longer than `limitMs`, or `signal` is aborted; nothing has been sent then.
 */
export function open(
	clock: Clock,
	host: string,
	port: number,
	limitMs: number,
	signal: AbortSignal,
): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
		const settle = (error?: Error) => {
			cancel();
			signal.removeEventListener("abort", abort);
			socket.off("error", settle).off("connect", done);
			if (!error) return resolve(socket);
			socket.on("error", () => {}).destroy();
			reject(error);
		};
		const done = () => settle();
		const abort = () => settle(new Error("the client has gone"));
		const cancel = clock.after(limitMs, () =>
			settle(new Error(`no connection within ${limitMs} ms`)),
		);
		socket.on("error", settle).on("connect", done);
		if (signal.aborted) abort();
		else signal.addEventListener("abort", abort, { once: true });
	});
}
