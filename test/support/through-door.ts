import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";

/** GETs `http://address:port/` through a SOCKS5 door (RFC 1928), as `curl -x socks5h://DOOR` does. */
export async function getThroughDoor(
	door: string,
	address: string,
	port: number,
): Promise<{ status: number; body: string }> {
	const socket = await dialThroughDoor(door, address, port);
	return new Promise((resolve, reject) => {
		const outgoing = request(
			{
				host: address,
				port,
				agent: false,
				headers: { connection: "close" },
				createConnection: () => socket,
			},
			(answer) => {
				text(answer).then(
					(body) => resolve({ status: answer.statusCode ?? 0, body }),
					reject,
				);
			},
		);
		outgoing.on("error", reject).end();
	});
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
			socket.off("error", reject);
			resolve(socket);
		};
		socket.on("data", onData);
	});
}
