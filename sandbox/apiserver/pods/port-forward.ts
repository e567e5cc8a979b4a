import type { Socket } from "node:net";
import { createWebSocketStream, type WebSocket } from "ws";
import { FrameWriter, type Incoming, readFrames } from "./spdy.ts";

/** SPDY inside a WebSocket, as kubectl port-forward has spoken it since 1.31 (KEP-4006). */
export const forwardProtocol = "SPDY/3.1+portforward.k8s.io";

/**
 * Serves the connections of one port-forward until the client goes: each is a data stream and, under the same request id,
 * a stream for what went wrong. `connect` throws, or gives a socket that emits `connect` or `error`.
 */
export async function forwardPorts(
	socket: WebSocket,
	connect: (port: number) => Socket,
): Promise<void> {
	const tunnel = createWebSocketStream(socket);
	const frames = new FrameWriter();
	const errorStreams = new Map<string, number>();
	const forwarded = new Map<number, Socket>();
	const paused = new Set<Socket>();
	tunnel.on("drain", () => {
		for (const to of paused) to.resume();
		paused.clear();
	});
	const write = (frame: Buffer) => {
		if (socket.readyState === socket.OPEN) tunnel.write(frame);
	};
	const end = (stream: number | undefined, last = "") => {
		if (stream !== undefined)
			write(frames.data(stream, Buffer.from(last), { last: true }));
	};

	function forward(stream: number, request: string, port: number): void {
		const errors = errorStreams.get(request);
		const failed = (error: Error) => {
			end(errors, `error forwarding port ${port} to pod: ${error.message}`);
			end(stream);
		};
		let to: Socket;
		try {
			to = connect(port);
		} catch (error) {
			failed(error as Error);
			return;
		}
		forwarded.set(stream, to);
		let why: Error | undefined;
		to.on("error", (error) => (why = error));
		to.on("data", (data: Buffer) => {
			write(frames.data(stream, data));
			if (!tunnel.writableNeedDrain) return;
			to.pause();
			paused.add(to);
		});
		to.on("end", () => end(stream));
		to.on("close", () => {
			forwarded.delete(stream);
			errorStreams.delete(request);
			if (why) failed(why);
			else end(errors);
		});
	}

	async function take(frame: Incoming): Promise<void> {
		switch (frame.what) {
			case "open": {
				write(frames.reply(frame.stream));
				const request = frame.headers.get("requestid") ?? "";
				if (frame.headers.get("streamtype") === "error")
					errorStreams.set(request, frame.stream);
				else forward(frame.stream, request, Number(frame.headers.get("port")));
				return;
			}
			case "data": {
				const to = forwarded.get(frame.stream);
				if (!to) return;
				if (frame.data.length > 0 && !to.write(frame.data)) await drained(to);
				if (frame.fin) to.end();
				return;
			}
			case "reset":
				forwarded.get(frame.stream)?.destroy();
				return;
			case "ping":
				write(frames.ping(frame.id));
		}
	}

	try {
		for await (const frame of readFrames(tunnel)) await take(frame);
	} finally {
		for (const to of forwarded.values()) to.destroy();
		tunnel.destroy();
	}
}

/** Resolves when the socket takes more, or never will. */
function drained(socket: Socket): Promise<void> {
	return new Promise((resolve) => {
		const done = () => {
			socket.off("drain", done);
			socket.off("close", done);
			resolve();
		};
		socket.on("drain", done);
		socket.on("close", done);
	});
}
