import { Readable } from "node:stream";
import type { ContainerLog, LogLine } from "./container-log.ts";

export interface LogStreamOptions {
	follow: boolean;
	timestamps: boolean;
	/** Lines from the end. */
	tail?: number;
	/** Wall milliseconds. */
	since?: number;
	limitBytes?: number;
}

/** A container's log as bytes; with `follow` until its streams close. */
export function streamLog(
	log: ContainerLog,
	options: LogStreamOptions,
): Readable {
	const { follow, timestamps, tail, since = 0 } = options;
	let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
	let next =
		tail === undefined ? log.first : Math.max(log.first, log.next - tail);
	const end = log.next;
	const pump = () => {
		for (;;) {
			next = Math.max(next, log.first);
			const line = !follow && next >= end ? undefined : log.line(next);
			if (left <= 0 || (!line && (!follow || log.ended))) {
				stop();
				stream.push(null);
				return;
			}
			if (!line) return;
			next++;
			if (line.at < since) continue;
			const bytes = bytesOf(line, timestamps).subarray(0, left);
			left -= bytes.length;
			if (!stream.push(bytes)) return;
		}
	};
	let stop = () => {};
	const stream = new Readable({
		read: () => pump(),
		destroy(error, done) {
			stop();
			done(error);
		},
	});
	if (follow)
		stop = log.onChange(() => {
			if (stream.readableLength < stream.readableHighWaterMark) pump();
		});
	return stream;
}

function bytesOf(line: LogLine, timestamps: boolean): Buffer {
	const parts = [line.text];
	if (timestamps) parts.unshift(Buffer.from(`${nanoTime(line.at)} `));
	if (line.newline) parts.push(Buffer.from("\n"));
	return Buffer.concat(parts);
}

/** RFC3339Nano with all its digits, as container runtimes write it. */
function nanoTime(wall: number): string {
	return new Date(wall).toISOString().replace("Z", "000000Z");
}
