import { createServer, type Server } from "node:net";

/** The part of `process` that joins the inner process to the outer one. */
export type Channel = Pick<
	NodeJS.Process,
	"connected" | "exit" | "off" | "on" | "once" | "send"
>;

/** What the outer process handed over. */
export interface Start {
	/** As given to `startInside`; to be validated by whoever knows what it should be. */
	start: unknown;
	/** File descriptors of listening sockets by name, for `server.listen({ fd })`: clients wait until then. */
	listeners: Record<string, number>;
	/** Tells the outer process: JSON. */
	report: (report: unknown) => void;
	/** Resolves when the outer process asks for a clean stop; whoever has stopped ends the process. */
	stopAsked: Promise<void>;
}

/** Where inherited sockets begin: after the three streams and the channel itself. */
const FIRST_LISTENER = 4;

/**
 * The other half of `startInside`, to be called once by the inner process. From then on this process ends as soon as the outer
 * one is gone, without another step: it is process 1 of its namespaces, and the kernel ends with it whatever is in them.
 *
 * @example
 * const { start, listeners, report, stopAsked } = await receiveStart(process);
 * const sandbox = await startSandbox(...);
 * report({ ready: true });
 * await stopAsked;
 * await sandbox.close();
 * process.exit(0);
 */
export async function receiveStart(channel: Channel): Promise<Start> {
	channel.once("disconnect", () => channel.exit(1));
	if (!channel.connected) channel.exit(1);
	const message = new Promise<{ start: unknown; listeners: string[] }>(
		(resolve) => {
			channel.once("message", (given) => {
				const asked = given as { start: unknown; listeners?: string[] };
				// Asked to stop before it was told what to start.
				if (!asked.listeners) return channel.exit(0);
				resolve({ start: asked.start, listeners: asked.listeners });
			});
		},
	);
	// Said only now, so that what is answered finds somebody who listens.
	const report = (words: unknown) => {
		channel.send?.(words);
	};
	report({ listening: true });
	const { start, listeners } = await message;
	return {
		start,
		listeners: Object.fromEntries(
			listeners.map((name, index) => [name, FIRST_LISTENER + index]),
		),
		report,
		stopAsked: new Promise((resolve) => {
			channel.once("message", () => resolve());
		}),
	};
}

/** A server on an inherited socket. Whoever waits to be connected is handed to what listens to `connection` by the next turn. */
export function serverOn(
	fd: number,
	options: { allowHalfOpen?: boolean } = {},
): Server {
	return createServer(options).listen({ fd });
}
