import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../../../operator/clock.ts";

export interface SpliceOptions {
	clock: Clock;
	/** Both sides silent for so long: the connection is reset; absent: never. */
	idleMs?: number;
	/** Payload that went over, each piece once. */
	counted?(direction: "in" | "out", bytes: number): void;
	/** Called once, when nothing more can go either way. */
	closed?(): void;
}

/**
 * Joins two connections: what one says the other hears, at the pace of the slower; the end of one direction leaves the
 * other open; a reset of one resets the other.
 */
export function splice(
	client: Duplex,
	target: Duplex,
	options: SpliceOptions,
): void {
	const { clock, idleMs } = options;
	let active = clock.monotonic();
	let open = 2;
	let cancel = () => {};
	if (idleMs !== undefined) watch(idleMs);

	function watch(limit: number): void {
		const left = active + limit - clock.monotonic();
		if (left > 0) {
			cancel = clock.after(left, () => watch(limit));
			return;
		}
		reset(client);
		reset(target);
	}

	function carry(from: Duplex, to: Duplex, direction: "in" | "out"): void {
		from.on("data", (chunk: Buffer) => {
			active = clock.monotonic();
			options.counted?.(direction, chunk.length);
			if (!to.write(chunk)) from.pause();
		});
		to.on("drain", () => {
			active = clock.monotonic();
			from.resume();
		});
		from.on("end", () => to.end());
		// What went wrong shows in how it closes; without a listener it would end the process.
		from.on("error", () => {});
		from.on("close", () => {
			if (!from.readableEnded || !from.writableFinished) reset(to);
			if (--open > 0) return;
			cancel();
			options.closed?.();
		});
	}

	carry(client, target, "in");
	carry(target, client, "out");
}

/** Ends a connection so that its peer notices it was cut, not finished. */
export function reset(stream: Duplex): void {
	if (stream.destroyed) return;
	// libuv refuses to reset a socket that is sending its end (uv_tcp_close_reset), and Node then never closes it.
	const ending = stream.writableEnded && !stream.writableFinished;
	if (stream instanceof Socket && !ending) stream.resetAndDestroy();
	else stream.destroy();
}
