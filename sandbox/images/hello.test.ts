import { jest } from "@jest/globals";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { eventually } from "../../test/support/eventually.ts";
import { publicationOf } from "./publication.ts";

// Real processes, on a machine that may be busy.
jest.setTimeout(30_000);

const program = fileURLToPath(new URL("./hello.cjs", import.meta.url));
const running: ChildProcess[] = [];

afterEach(async () => {
	await Promise.all(
		running.splice(0).map(async (child) => {
			if (child.exitCode !== null || child.signalCode !== null) return;
			child.kill("SIGKILL");
			await once(child, "exit");
		}),
	);
});

interface Hello {
	child: ChildProcess;
	url: string;
	ended: Promise<number | null>;
}

/** Starts it in mode userspace, as the kubelet of a pod `web` does. */
async function start(env: Record<string, string> = {}): Promise<Hello> {
	const child = spawn(process.execPath, [program], {
		env: {
			HOSTNAME: "web",
			FAIRLEAD_NODE: "node-1",
			FAIRLEAD_NETWORK: "userspace",
			...env,
		},
		stdio: ["ignore", "pipe", "inherit"],
	});
	running.push(child);
	const ended = once(child, "exit").then(([code]) => code as number | null);
	const [line] = (await once(
		child.stdout as NodeJS.ReadableStream,
		"data",
	)) as [Buffer];
	const found = publicationOf(line.toString().split("\n")[0] ?? "");
	expect(found?.port).toBe(Number(env["PORT"] ?? 8080));
	return { child, url: `http://127.0.0.1:${found?.reallyAt.port}`, ended };
}

/** Resolves when it has written a text, which it has not before. */
async function says(hello: Hello, text: string): Promise<void> {
	let said = "";
	for await (const chunk of hello.child.stdout as Readable) {
		said += String(chunk);
		if (said.includes(text)) return;
	}
}

const get = async (hello: Hello, path: string, headers = {}) => {
	const answer = await fetch(hello.url + path, { headers });
	return `${answer.status} ${await answer.text()}`;
};

it.each([
	["/", "200 hello from web on node-1 (you are 127.0.0.1)\n"],
	["/hostname", "200 web\n"],
	["/healthz", "200 ok\n"],
	["/echo?msg=hi%20there", "200 hi there\n"],
	["/header?key=X-Mine", "200 yes\n"],
	["/slow?ms=1", "200 hello from web on node-1 (you are 127.0.0.1)\n"],
	["/slow?ms=-1", "400 ms must be between 0 and 60000\n"],
	["/nothing", "404 no /nothing here\n"],
	["//", "400 // is no URL\n"],
])("answers %s", async (path, answer) => {
	expect(await get(await start(), path, { "X-Mine": "yes" })).toBe(answer);
});

it("shows its environment in order", async () => {
	const shown = await get(await start({ B: "2", A: "1" }), "/env");
	expect(shown).toMatch(/^200 A=1\nB=2\nFAIRLEAD_NETWORK=userspace\n/);
});

it("is unhealthy when told to be, and healthy again", async () => {
	const hello = await start();
	expect(await get(hello, "/fail")).toBe("200 failing\n");
	expect(await get(hello, "/healthz")).toBe("503 failing\n");
	expect(await get(hello, "/fail")).toBe("200 healthy\n");
	expect(await get(hello, "/healthz")).toBe("200 ok\n");
});

it("ends with the code it is asked for", async () => {
	const hello = await start();
	expect(await get(hello, "/exit?code=3")).toBe("200 bye\n");
	expect(await hello.ended).toBe(3);
});

it("goes on taking requests for a while after SIGTERM, but is not healthy", async () => {
	const hello = await start({ HELLO_DRAIN_MS: "60000" });
	hello.child.kill("SIGTERM");
	await eventually(
		() => get(hello, "/healthz"),
		(answer) => expect(answer).toBe("503 shutting down\n"),
	);
	expect(await get(hello, "/hostname")).toBe("200 web\n");
});

it("answers what it took before it ends", async () => {
	const hello = await start({ HELLO_DRAIN_MS: "0" });
	const slow = get(hello, "/slow?ms=300");
	await says(hello, "GET /slow?ms=300 from 127.0.0.1\n");
	hello.child.kill("SIGTERM");
	expect(await slow).toMatch(/^200 hello/);
	expect(await hello.ended).toBe(0);
});

it("ends when what started it is gone", async () => {
	const starter = spawn(
		process.execPath,
		[
			"-e",
			`const child = require("node:child_process").spawn(process.execPath, [${JSON.stringify(program)}], { stdio: ["ignore", "inherit", "inherit"], detached: true }); console.log(child.pid); setInterval(() => {}, 1000)`,
		],
		{
			env: { FAIRLEAD_NETWORK: "userspace" },
			stdio: ["ignore", "pipe", "inherit"],
		},
	);
	running.push(starter);
	const output = starter.stdout as NodeJS.ReadableStream;
	let text = "";
	output.on("data", (chunk: Buffer) => {
		text += chunk.toString();
	});
	await eventually(
		() => text,
		(said) => expect(said).toMatch("listening"),
	);
	const closed = once(output, "close");
	starter.kill("SIGKILL");
	// Only when both have ended is nobody left who could write.
	await closed;
	expect(text).toMatch(/^\d+\n/);
});

it("says what it cannot do and ends", async () => {
	const child = spawn(process.execPath, [program], {
		env: { PORT: "70000" },
		stdio: ["ignore", "ignore", "pipe"],
	});
	running.push(child);
	const [code] = (await once(child, "exit")) as [number];
	expect(code).not.toBe(0);
});

describe("agnhost", () => {
	it("netexec tells the time", async () => {
		expect(await get(await start({ HELLO_AS: "netexec" }), "/")).toMatch(
			/^200 NOW: 20\d\d-/,
		);
	});

	it("serve-hostname says its name whatever it is asked", async () => {
		const hello = await start({ HELLO_AS: "serve-hostname", PORT: "9376" });
		expect(await get(hello, "/anything")).toBe("200 web");
		expect(await get(hello, "//")).toBe("200 web");
	});
});

it("answers datagrams beside HTTP where the pod has an address of its own", async () => {
	// Ports of this machine: of the system's choosing, so that nobody else has them.
	const probe = createSocket("udp4").bind(0, "127.0.0.1");
	await once(probe, "listening");
	const { port } = probe.address();
	probe.close();
	await once(probe, "close");
	const child = spawn(process.execPath, [program], {
		env: {
			HOSTNAME: "web",
			FAIRLEAD_NODE: "node-1",
			PORT: "0",
			UDP_PORT: String(port),
		},
		stdio: ["ignore", "pipe", "inherit"],
	});
	running.push(child);
	await once(child.stdout as NodeJS.ReadableStream, "data");
	const socket = createSocket("udp4");
	const ask = async (message: string) => {
		const answer = once(socket, "message");
		socket.send(message, port, "127.0.0.1");
		const [bytes] = (await answer) as [Buffer];
		return bytes.toString();
	};
	expect(await ask("anybody?")).toBe(
		"hello from web on node-1 (you are 127.0.0.1)\n",
	);
	expect(await ask("hostname")).toBe("web");
	expect(await ask("echo one two")).toBe("one two");
	expect(await ask("clientip")).toMatch(/^127\.0\.0\.1:\d+$/);
	socket.close();
});
