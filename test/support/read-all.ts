import type { Duplex } from "node:stream";

/**
 * Everything one end of a connection is told, up to the end of that direction. Unlike node:stream/consumers it leaves the
 * connection open for writing.
 */
export function readAll(connection: Duplex): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		const chunks: Buffer[] = [];
		connection
			.on("data", (chunk: Buffer) => chunks.push(chunk))
			.once("end", () => resolve(Buffer.concat(chunks)))
			.once("error", reject)
			.once("close", () => reject(new Error("closed before its end")));
	});
}
