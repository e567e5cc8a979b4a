import { createServer, type Server } from "node:net";
import { listen, listenOnNode } from "./listen.ts";

const servers: Server[] = [];
const newServer = () => {
	const server = createServer();
	servers.push(server);
	return server;
};

afterEach(() => {
	for (const server of servers.splice(0)) server.close();
});

describe.each(["0.0.0.0", "::"])("a node's server at %s", (host) => {
	it("has the port at any address of the machine", async () => {
		const port = await listenOnNode(newServer(), host, 0);
		await expect(listen(newServer(), "127.0.0.1", port)).rejects.toMatchObject({
			code: "ListenFailed",
			message: `cannot listen on 127.0.0.1:${port}: the port is taken`,
		});
	});

	it("names the address it was given when that cannot be had", async () => {
		const port = await listen(newServer(), "127.0.0.1", 0);
		await expect(listenOnNode(newServer(), host, port)).rejects.toMatchObject({
			code: "ListenFailed",
			message: `cannot listen on ${host}:${port}: the port is taken`,
		});
	});
});

test("a node's server at one address has it alone", async () => {
	const server = newServer();
	await listenOnNode(server, "127.0.0.1", 0);
	expect(server.address()).toMatchObject({ address: "127.0.0.1" });
});
