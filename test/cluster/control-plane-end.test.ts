import { jest } from "@jest/globals";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { text } from "node:stream/consumers";
import { startCluster } from "../support/cluster.ts";

jest.setTimeout(120_000);

/** Process ids of everything that names `folder` in its command line: etcd, kube-apiserver and so on, by name. */
function processesOf(folder: string): Map<string, number> {
	const found = new Map<string, number>();
	for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
		const [command = "", ...args] = commandLine(pid).split("\0");
		if (args.some((arg) => arg.includes(folder)))
			found.set(command.split("/").at(-1) as string, Number(pid));
	}
	return found;
}

function commandLine(pid: string): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "utf8");
	} catch (error) {
		// The process ended between the two looks.
		if (
			["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")
		)
			return "";
		throw error;
	}
}

/** Starts a cluster in a process of its own, which then runs `code`; resolves with that process and the cluster's folder. */
async function clusterInChild(
	code: string,
): Promise<{ child: ChildProcess; folder: string; closed: Promise<unknown> }> {
	const module = new URL("../support/cluster.ts", import.meta.url).href;
	const child = spawn(
		process.execPath,
		[
			"--disable-warning=ExperimentalWarning",
			"--input-type=module",
			`--eval=import { startCluster } from ${JSON.stringify(module)};
			const cluster = await startCluster();
			console.log(cluster.folder);
			${code}`,
		],
		{ stdio: ["ignore", "pipe", "pipe"] },
	);
	// The supervisor has the child's stderr: it closes when both of them are gone, and so does `closed`.
	const closed = once(child, "close");
	const errors = text(child.stderr as NonNullable<typeof child.stderr>);
	const [line] = (await Promise.race([
		once(child.stdout as NonNullable<typeof child.stdout>, "data"),
		closed.then(async () => {
			throw new Error(await errors);
		}),
	])) as [Buffer];
	return { child, folder: line.toString().trim(), closed };
}

test("nothing is left after stop()", async () => {
	const cluster = await startCluster({ controllerManager: true });
	expect([...processesOf(cluster.folder).keys()].sort()).toEqual([
		"etcd",
		"kube-apiserver",
		"kube-controller-manager",
	]);
	await cluster.stop();
	expect(processesOf(cluster.folder)).toEqual(new Map());
	expect(existsSync(cluster.folder)).toBe(false);
});

test("nothing is left after the process that started the cluster is killed with -9", async () => {
	const { child, folder, closed } = await clusterInChild(
		"setInterval(() => {}, 1e6);",
	);
	expect([...processesOf(folder).keys()].sort()).toEqual([
		"etcd",
		"kube-apiserver",
	]);
	child.kill("SIGKILL");
	await closed;
	expect(processesOf(folder)).toEqual(new Map());
	expect(existsSync(folder)).toBe(false);
});

test("a process that forgets its cluster ends all the same, and nothing is left", async () => {
	const { child, folder, closed } = await clusterInChild("");
	await closed;
	expect(child.exitCode).toBe(0);
	expect(processesOf(folder)).toEqual(new Map());
	expect(existsSync(folder)).toBe(false);
});

test("a supervisor killed with -9 takes the components with it, and stop() says so", async () => {
	const cluster = await startCluster();
	const pids = [...processesOf(cluster.folder).values()];
	const supervisor = parentOf(pids[0] as number);
	expect(pids.map(parentOf)).toEqual([supervisor, supervisor]);
	process.kill(supervisor, "SIGKILL");
	while (processesOf(cluster.folder).size > 0) await sleep(10);
	await expect(cluster.stop()).rejects.toThrow(
		/the cluster's supervisor .*\(SIGKILL\)/,
	);
	expect(existsSync(cluster.folder)).toBe(false);
});

function parentOf(pid: number): number {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
}

test("a component that dies by itself is named by stop(), with its logs kept", async () => {
	const cluster = await startCluster();
	const pid = processesOf(cluster.folder).get("kube-apiserver") as number;
	process.kill(pid, "SIGKILL");
	while (existsSync(`/proc/${pid}`)) await sleep(10);
	const error = await messageOf(cluster.stop());
	expect(error).toMatch(
		/^died while the cluster ran: kube-apiserver \(SIGKILL\); logs: \S+$/,
	);
	expectLogs(error);
});

test("an API server that refuses its flags is an error with its own words, and its logs kept", async () => {
	const error = await messageOf(
		startCluster({ apiServerArgs: ["--feature-gates=NoSuchGate=true"] }),
	);
	expect(error).toMatch(/^the cluster did not start: kube-apiserver ended/);
	expect(error).toContain("unrecognized feature gate: NoSuchGate");
	expectLogs(error);
});

test("an address this machine does not have is an error that names it", async () => {
	expect(await messageOf(startCluster({ address: "192.0.2.77" }))).toContain(
		"192.0.2.77",
	);
});

/** The logs the message points to are there; removes them. */
function expectLogs(message: string): void {
	const folder = /logs: (\S+)$/.exec(message)?.[1] as string;
	expect(readdirSync(folder).sort()).toEqual([
		"etcd.log",
		"kube-apiserver.log",
	]);
	rmSync(folder, { recursive: true });
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
	return promise.then(
		() => {
			throw new Error("it succeeded");
		},
		(error: Error) => error.message,
	);
}
