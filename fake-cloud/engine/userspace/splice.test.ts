import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { reset } from "./splice.ts";

async function sockets(): Promise<{
	near: Socket;
	far: Socket;
	close: () => void;
}> {
	const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as { port: number };
	const near = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
	const [[far]] = (await Promise.all([
		once(server, "connection"),
		once(near, "connect"),
	])) as [[Socket], unknown];
	far.on("error", () => {}).resume();
	return {
		near,
		far,
		close() {
			far.destroy();
			server.close();
		},
	};
}

test("the peer of a connection that is cut sees a reset", async () => {
	const { near, far, close } = await sockets();
	const gone = new Promise((resolve) => far.once("close", resolve));
	reset(near);
	await gone;
	expect(far.errored).toMatchObject({ code: "ECONNRESET" });
	close();
});

test("a connection that is cut while it sends its end is closed all the same", async () => {
	const { near, close } = await sockets();
	const closed = once(near, "close");
	near.end("bye");
	reset(near);
	await closed;
	close();
});
