import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";

/**
 * GETs `http://address:port/` through a SOCKS5 door (RFC 1928), as `curl -x socks5h://DOOR` does. Written out by hand so
 * that it can go nowhere but through the door.
 */
export async function getThroughDoor(
	door: string,
	address: string,
	port: number,
): Promise<{ status: number; body: string }> {
	const socket = await dialThroughDoor(door, address, port);
	socket.write(
		`GET / HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`,
	);
	const answer = await text(socket);
	const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(answer) ?? [];
	const end = answer.indexOf("\r\n\r\n");
	if (!status || end < 0)
		throw new Error(`${address}:${port} answered ${JSON.stringify(answer)}`);
	const chunked = /\r\nTransfer-Encoding: chunked\r\n/i.test(answer);
	const body = answer.slice(end + 4);
	return { status: Number(status), body: chunked ? dechunk(body) : body };
}

function dechunk(body: string): string {
	let text = "";
	for (let rest = body; ; ) {
		const [line = "", size = "0"] = /^([0-9a-f]+)\r\n/.exec(rest) ?? [];
		const length = Number.parseInt(size, 16);
		if (length === 0) return text;
		text += rest.slice(line.length, line.length + length);
		rest = rest.slice(line.length + length + 2);
	}
}

/** A connection to `address:port` through the door; rejects with the door's reply code when it refuses. */
export function dialThroughDoor(
	door: string,
	address: string,
	port: number,
): Promise<Socket> {
	const at = new URL(`tcp://${door}`);
	return new Promise((resolve, reject) => {
		const socket = connect(Number(at.port), at.hostname);
		const fail = (reason: string) => {
			socket.destroy();
			reject(new Error(`the door refused ${address}:${port}: ${reason}`));
		};
		let read = Buffer.alloc(0);
		let greeted = false;
		socket.on("error", reject);
		socket.on("end", () => fail("closed"));
		socket.on("connect", () => socket.write(Buffer.from([5, 1, 0])));
		const onData = (chunk: Buffer) => {
			read = Buffer.concat([read, chunk]);
			if (!greeted && read.length >= 2) {
				if (read[1] !== 0) return fail(`method ${read[1]}`);
				greeted = true;
				read = read.subarray(2);
				const host = Buffer.from(address);
				socket.write(
					Buffer.concat([
						Buffer.from([5, 1, 0, 3, host.length]),
						host,
						Buffer.from([port >> 8, port & 255]),
					]),
				);
			}
			if (!greeted || read.length < 10) return;
			if (read[1] !== 0) return fail(`reply ${read[1]}`);
			socket.off("data", onData);
			socket.removeAllListeners("end");
			resolve(socket);
		};
		socket.on("data", onData);
	});
}
