import { jest } from "@jest/globals";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Cluster, startCluster } from "../support/cluster.ts";

jest.setTimeout(60_000);

let cluster: Cluster;
const contenders: Contender[] = [];
beforeAll(async () => {
	cluster = await startCluster();
	await cluster.kubectl(["create", "configmap", "contest"]);
});
afterAll(async () => {
	for (const contender of contenders) await contender.end();
	await cluster.stop();
});

/** A process that competes for the Lease, told what to do and heard line by line. */
class Contender {
	readonly #child: ChildProcessByStdio<Writable, Readable, null>;
	readonly #lines: AsyncIterator<string>;

	constructor(identity: string) {
		const script = new URL("../support/lease-contender.ts", import.meta.url);
		this.#child = spawn(
			process.execPath,
			[fileURLToPath(script), cluster.kubeconfigPath, identity],
			{ stdio: ["pipe", "pipe", "inherit"] },
		);
		const lines = createInterface({ input: this.#child.stdout });
		this.#lines = lines[Symbol.asyncIterator]();
		contenders.push(this);
	}

	tell(line: string): void {
		this.#child.stdin.write(`${line}\n`);
	}

	async says(): Promise<string> {
		const { value, done } = await this.#lines.next();
		return done ? "nothing more" : value;
	}

	signal(signal: NodeJS.Signals): void {
		this.#child.kill(signal);
	}

	async end(): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null)
			return;
		const exited = once(this.#child, "exit");
		this.#child.kill("SIGKILL");
		await exited;
	}
}

const writer = async () =>
	(
		await cluster.kubectl([
			...["get", "configmap", "contest"],
			"--output=jsonpath={.data.writer}",
		])
	).stdout;

test("a leader stopped past its lease is succeeded, and writes nothing when it goes on", async () => {
	const first = new Contender("first");
	expect(await first.says()).toBe("started");
	first.tell("write");
	expect(await first.says()).toBe("wrote");
	const second = new Contender("second");
	second.tell("write");
	expect(await second.says()).toBe("refused");

	first.signal("SIGSTOP");
	expect(await second.says()).toBe("started");
	second.tell("write");
	expect(await second.says()).toBe("wrote");
	// It lies ready for the moment the process goes on.
	first.tell("write");
	first.signal("SIGCONT");
	const said = [await first.says(), await first.says()].sort();
	expect(said).toEqual(["refused", "stopped"]);
	expect(await writer()).toBe("second");

	second.signal("SIGKILL");
	expect(await first.says()).toBe("started");
	first.tell("write");
	expect(await first.says()).toBe("wrote");
	expect(await writer()).toBe("first");

	const third = new Contender("third");
	third.tell("write");
	expect(await third.says()).toBe("refused");
	first.tell("release");
	expect(await first.says()).toBe("stopped");
	expect(await third.says()).toBe("started");
	expect(await first.says()).toBe("nothing more");
	third.tell("release");
	expect(await third.says()).toBe("stopped");
});
