"use strict";
/*
 * The program of image fairlead/hello: says over HTTP and UDP who answers and who asked. It also stands in for `agnhost
 * netexec` and `agnhost serve-hostname` (HELLO_AS). CommonJS, because importing node:http as an ES module loads all of
 * it: 95 ms and 63 MB instead of 55 ms and 48 MB until it listens.
 *
 * PORT      TCP port; default 8080
 * UDP_PORT  default: PORT
 * HELLO_AS  hello (default), netexec or serve-hostname
 * HELLO_DRAIN_MS  how long it goes on taking connections after SIGTERM; default 500
 * FAIRLEAD_NETWORK=userspace: the pod has no addresses of its own, so it listens on 127.0.0.1 at any port and says where
 * on a line of stdout that begins with the byte 0x1e: `\x1epublish PORT HOST:PORT`.
 */
const { createServer } = require("node:http");

const { env } = process;
const port = Number(env.PORT || 8080);
const udpPort = Number(env.UDP_PORT || port);
const as = env.HELLO_AS || "hello";
const published = env.FAIRLEAD_NETWORK === "userspace";
const pod = env.HOSTNAME || "this machine";
const node = env.FAIRLEAD_NODE || "no node";

let healthy = true;
let draining = false;

/** An IPv4 address as people write it, whatever family the socket is of. */
const plain = (address) => (address || "").replace(/^::ffff:/, "");
const host = (address) => (address.includes(":") ? `[${address}]` : address);
const greeting = (address) =>
	`hello from ${pod} on ${node} (you are ${plain(address)})\n`;

const paths = {
	"/env": () =>
		Object.entries(env)
			.map(([name, value]) => `${name}=${value}\n`)
			.sort()
			.join(""),
	"/hostname": () => `${pod}\n`,
	"/clientip": (_query, { socket }) =>
		`${host(plain(socket.remoteAddress))}:${socket.remotePort}\n`,
	"/echo": (query) => `${query.get("msg") || ""}\n`,
	"/header": (query, { headers }) =>
		`${headers[(query.get("key") || "").toLowerCase()] || ""}\n`,
};

const server = createServer((request, response) => {
	const answer = (code, text) =>
		response
			.writeHead(code, {
				"content-type": "text/plain; charset=utf-8",
				"content-length": Buffer.byteLength(text),
				...(draining ? { connection: "close" } : {}),
			})
			.end(text);
	request.resume();
	if (as === "serve-hostname") return answer(200, `${pod}`);
	const url = URL.parse(request.url || "/", "http://pod");
	if (!url) return answer(400, `${request.url} is no URL\n`);
	const { pathname, searchParams } = url;
	if (pathname === "/healthz")
		return healthy && !draining
			? answer(200, "ok\n")
			: answer(503, draining ? "shutting down\n" : "failing\n");
	if (pathname === "/" || pathname === "/slow")
		console.log(
			`${request.method} ${request.url} from ${plain(request.socket.remoteAddress)}`,
		);
	if (pathname === "/fail") {
		healthy = !healthy;
		return answer(200, healthy ? "healthy\n" : "failing\n");
	}
	if (pathname === "/slow") {
		const ms = Number(searchParams.get("ms") || 1000);
		if (!(ms >= 0 && ms <= 60_000))
			return answer(400, "ms must be between 0 and 60000\n");
		return setTimeout(
			() => answer(200, greeting(request.socket.remoteAddress)),
			ms,
		);
	}
	if (pathname === "/exit")
		return answer(200, "bye\n").on("close", () =>
			process.exit(Number(searchParams.get("code") || 0)),
		);
	const path = paths[pathname];
	if (path) return answer(200, path(searchParams, request));
	if (pathname !== "/") return answer(404, `no ${pathname} here\n`);
	if (as === "netexec") return answer(200, `NOW: ${new Date().toISOString()}`);
	answer(200, greeting(request.socket.remoteAddress));
});

function failed(error) {
	console.error(`cannot listen: ${error.message}`);
	process.exit(1);
}

server.on("error", failed);
if (published) {
	// Nothing else ends it when the sandbox is killed.
	const parent = process.ppid;
	setInterval(() => {
		if (process.ppid !== parent) process.exit(1);
	}, 1000).unref();
	server.listen(0, "127.0.0.1", () => {
		const { port: at } = server.address();
		process.stdout.write(`\x1epublish ${port} 127.0.0.1:${at}\n`);
		console.log(`listening as port ${port}`);
	});
} else {
	const listen = () =>
		server.listen(port, () => console.log(`listening on port ${port}`));
	if (as === "serve-hostname") listen();
	else answerDatagrams(listen);
}

/** UDP first: whoever finds the TCP port open finds both. */
function answerDatagrams(ready) {
	const socket = require("node:dgram").createSocket("udp4");
	socket.on("error", failed);
	socket.on("message", (message, from) => {
		const [command, ...rest] = message.toString().trim().split(" ");
		const answers = {
			hostname: pod,
			clientip: `${from.address}:${from.port}`,
			echo: rest.join(" "),
		};
		socket.send(
			answers[command] ?? greeting(from.address),
			from.port,
			from.address,
		);
	});
	socket.bind(udpPort, ready);
	process.on("SIGTERM", () => socket.unref());
}

process.on("SIGTERM", () => {
	if (draining) return;
	draining = true;
	// Whoever routes to this pod hears of its end at the same moment: until then its connections must find somebody.
	setTimeout(
		() => {
			server.close(() => process.exit(0));
			server.closeIdleConnections();
		},
		Number(env.HELLO_DRAIN_MS || 500),
	);
});
