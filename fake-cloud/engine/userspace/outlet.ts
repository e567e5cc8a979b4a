import type { Socket } from "node:net";
import type { Clock } from "../../../operator/clock.ts";
import type { EngineNetwork } from "../network.ts";

export interface OutletOptions {
	clock: Clock;
	network: Pick<EngineNetwork, "connect">;
	/** A target that does not answer a SYN for so long is passed over. */
	connectMs: number;
}

/**
 * Opens a connection to a target.
 *
 * Rejects when it is refused, takes longer than `connectMs`, or `signal` is aborted; nothing has been sent then.
 */
export function open(
	{ clock, network, connectMs }: OutletOptions,
	host: string,
	port: number,
	signal: AbortSignal,
): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = network.connect({ host, port });
		socket.allowHalfOpen = true;
		socket.setNoDelay(true);
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
		const cancel = clock.after(connectMs, () =>
			settle(new Error(`no connection within ${connectMs} ms`)),
		);
		socket.on("error", settle).on("connect", done);
		if (signal.aborted) abort();
		else signal.addEventListener("abort", abort, { once: true });
	});
}
