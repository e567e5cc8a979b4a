// Owns the processes and the temporary folder of one cluster (cluster.ts). A process of its own, so that everything is
// taken down however the test ends: when the test is gone, even by kill -9, the IPC channel closes; when this process is
// itself killed with -9, the kernel kills the components (setpriv --pdeathsig).
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	closeSync,
	rmSync,
} from "node:fs";
import { createServer, type ListenOptions, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Request = { id: number } & (
	| { do: "start"; component: string; command: string; args: string[] }
	| { do: "stop"; component: string; signal: NodeJS.Signals }
	| { do: "end"; keepLogs: boolean }
);

/** `pid` answers a start; `logs`, the folder where the logs were kept, an end that keeps them. */
export type Reply = { id: number; pid?: number; logs?: string; error?: string };

export type Report =
	/** The first message: the folder is made and the port claimed. */
	| { ready: { folder: string; port: number } }
	/** Sent instead of it when that cannot be done; the supervisor then ends. */
	| { unready: string }
	/** A component ended that nobody had asked to stop. */
	| { died: string; how: string }
	| Reply;

// Below the ephemeral ports and the NodePorts, so that no outgoing connection can take the port while the server restarts.
const firstPort = 20_000;
const ports = 9_000;

const running = new Map<string, ChildProcess>();
const stopping = new Set<ChildProcess>();
const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const folder = mkdtempSync(join(base, "fairlead-cluster-"));
const logs = join(folder, "logs");
const pdeathsig = spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]);
let anyDied = false;
let ended: Promise<string | undefined> | undefined;

process.on("disconnect", () => void takeDown());
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
	process.on(signal, () => void takeDown());
// For an exit nobody planned: takeDown has left nothing to do here.
process.on("exit", () => {
	for (const child of running.values()) child.kill("SIGKILL");
	removeFolder();
});
// The test may have died before this process could hear of it.
if (!process.connected) await takeDown();
process.on("message", (request: Request) => {
	handle(request).then(
		(reply) => tell({ id: request.id, ...reply }),
		(error: unknown) => tell({ id: request.id, error: String(error) }),
	);
});

mkdirSync(logs);
claimPort(process.argv[2] as string).then(
	(port) => tell({ ready: { folder, port } }),
	(error: unknown) => {
		tell({ unready: String(error) });
		process.disconnect?.();
	},
);

async function handle(request: Request): Promise<Omit<Reply, "id">> {
	switch (request.do) {
		case "start":
			return {
				pid: await start(request.component, request.command, request.args),
			};
		case "stop":
			await stop(request.component, request.signal);
			return {};
		case "end": {
			const kept = await end(request.keepLogs);
			return kept ? { logs: kept } : {};
		}
	}
}

async function start(
	component: string,
	command: string,
	args: string[],
): Promise<number> {
	if (running.has(component))
		throw new Error(`${component} is already running`);
	const log = openSync(join(logs, `${component}.log`), "a");
	const [file, argv] =
		pdeathsig.status === 0
			? ["setpriv", ["--pdeathsig", "KILL", "--", command, ...args]]
			: [command, args];
	const child = spawn(file, argv, {
		cwd: folder,
		env: { PATH: process.env["PATH"], HOME: folder },
		stdio: ["ignore", log, log],
	});
	closeSync(log);
	if (child.pid === undefined) throw (await once(child, "error"))[0];
	running.set(component, child);
	child.on("exit", (code, signal) => {
		running.delete(component);
		if (stopping.delete(child)) return;
		anyDied = true;
		tell({ died: component, how: signal ?? `exit code ${code}` });
	});
	return child.pid;
}

async function stop(component: string, signal: NodeJS.Signals): Promise<void> {
	const child = running.get(component);
	if (!child) return;
	stopping.add(child);
	const gone = once(child, "exit");
	child.kill(signal);
	await gone;
}

/** Kills every component and removes the folder; keeps the logs elsewhere if asked, or if a component had died by itself. */
function end(keepLogs: boolean): Promise<string | undefined> {
	ended ??= endNow(keepLogs);
	return ended;
}

async function endNow(keepLogs: boolean): Promise<string | undefined> {
	await Promise.all([...running.keys()].map((name) => stop(name, "SIGKILL")));
	let kept: string | undefined;
	if (keepLogs || anyDied) {
		kept = mkdtempSync(join(tmpdir(), "fairlead-cluster-logs-"));
		cpSync(logs, kept, { recursive: true });
	}
	removeFolder();
	return kept;
}

/** The end of this process: after an end that the test asked for, or instead of it when the test is gone. */
async function takeDown(): Promise<void> {
	const asked = ended !== undefined;
	const kept = await end(false);
	if (kept && !asked)
		console.error(`a component of the cluster had died; logs: ${kept}`);
	process.exit();
}

function removeFolder(): void {
	// Retries: a component killed a moment ago may still be making a file.
	rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

/**
 * A TCP port that stays this cluster's until the supervisor ends, also while the API server is down: other clusters keep
 * away because of the abstract socket (which the kernel releases with the process), everyone else because of the range.
 */
async function claimPort(address: string): Promise<number> {
	const first = randomInt(ports);
	for (let i = 0; i < ports; i++) {
		const candidate = firstPort + ((first + i) % ports);
		const claim = await listen({ path: `\0fairlead-cluster-${candidate}` });
		if (!claim) continue;
		const probe = await listen({ host: address, port: candidate });
		if (probe) {
			probe.close();
			await once(probe, "close");
			return candidate;
		}
		claim.close();
	}
	throw new Error(
		`no free port on ${address} from ${firstPort} to ${firstPort + ports - 1}`,
	);
}

/** A server listening there, or nothing if someone else does. */
async function listen(options: ListenOptions): Promise<Server | undefined> {
	const server = createServer().listen(options);
	try {
		await once(server, "listening");
		return server;
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return;
		throw error;
	}
}

/** Nobody listens any more once the channel is closed; takeDown is then under way. */
function tell(report: Report): void {
	if (process.connected) process.send?.(report, () => {});
}
