import { jest } from "@jest/globals";
import { execFileSync, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	closeSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { systemClock } from "../../operator/clock.ts";
import {
	commandIn,
	readState,
	type SandboxState,
	writeState,
} from "../../sandbox/network/exec.ts";
import {
	type Inside,
	openListener,
	startInside,
} from "../../sandbox/network/outside.ts";
import { eventually } from "../support/eventually.ts";

jest.setTimeout(60_000);

const toy = new URL("./toy-inside.ts", import.meta.url).pathname;

interface Report {
	start: unknown;
	folder: string;
	places: SandboxState["places"];
	container: number;
}

interface Running {
	inside: Inside;
	report: Report;
	port: number;
	stdout: PassThrough;
}

const running: Running[] = [];
let folder: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "fairlead-outside-"));
});

afterEach(async () => {
	for (const { inside, report } of running.splice(0)) {
		await inside.stop();
		rmSync(report.folder, { recursive: true, force: true });
	}
	rmSync(folder, { recursive: true });
});

async function start(script = toy): Promise<Running> {
	const listener = openListener("127.0.0.1", 0);
	const { port } = listener;
	const stdout = new PassThrough();
	let told: (report: Report) => void;
	const reported = new Promise<Report>((resolve) => {
		told = resolve;
	});
	const inside = startInside({
		command: [process.execPath, script],
		env: {},
		listeners: { api: listener },
		start: () => Promise.resolve({ nodes: 1 }),
		onReport: (report) => told(report as Report),
		stdout,
		stderr: process.stderr,
		clock: systemClock,
	});
	await inside.started;
	const each = { inside, report: await reported, port, stdout };
	running.push(each);
	return each;
}

/** Numbers of the processes that are in any of these namespaces. */
function processesIn(namespaces: ReadonlySet<string>): string[] {
	return readdirSync("/proc").filter(
		(pid) =>
			/^\d+$/.test(pid) &&
			["net", "mnt", "pid"].some((kind) =>
				namespaces.has(nameOf(pid, kind) ?? ""),
			),
	);
}

/** Every namespace of the descendants of a process that is not this process' own. */
function namespacesOf(pid: number): Set<string> {
	const found = new Set<string>();
	for (const descendant of descendants(pid))
		for (const kind of ["net", "mnt", "pid"]) {
			const name = nameOf(descendant, kind);
			if (name && name !== nameOf("self", kind)) found.add(name);
		}
	return found;
}

/** Undefined if the process has ended. */
function nameOf(pid: number | string, kind: string): string | undefined {
	try {
		return readlinkSync(`/proc/${pid}/ns/${kind}`);
	} catch {
		return undefined;
	}
}

function descendants(pid: number): number[] {
	const children = childrenOf(pid);
	return [...children, ...children.flatMap(descendants)];
}

/** None if the process has ended. */
function childrenOf(pid: number): number[] {
	try {
		return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
			.split(" ")
			.filter((child) => child !== "")
			.map(Number);
	} catch {
		return [];
	}
}

test("the inner process is told what to do and answers on the machine's own port", async () => {
	const { report, port } = await start();
	expect(report.start).toEqual({ nodes: 1 });
	expect(await text(connect(port, "127.0.0.1"))).toBe("api is here");
});

test("a stop is clean and ends everything", async () => {
	const { inside, stdout } = await start();
	const namespaces = namespacesOf(inside.pid);
	expect(processesIn(namespaces).length).toBeGreaterThan(3);
	expect(await inside.stop()).toEqual({ code: 0, signal: null });
	expect(stdout.read()?.toString()).toBe("stopped cleanly\n");
	expect(processesIn(namespaces)).toEqual([]);
});

test("an inner process that is killed takes everything with it", async () => {
	const { inside } = await start();
	const namespaces = namespacesOf(inside.pid);
	const [inner] = descendants(inside.pid);
	process.kill(inner as number, "SIGKILL");
	await inside.ended;
	expect(processesIn(namespaces)).toEqual([]);
});

test("an outer process that is killed leaves no process, mount or namespace", async () => {
	const outer = fork(new URL("./toy-outside.ts", import.meta.url), {
		execArgv: [],
		stdio: ["ignore", "inherit", "inherit", "ipc"],
	});
	const [{ pid, report }] = (await once(outer, "message")) as [
		{ pid: number; report: Report },
	];
	const namespaces = namespacesOf(pid);
	const all = [pid, ...descendants(pid)];
	expect(all.length).toBeGreaterThan(4);
	outer.kill("SIGKILL");
	await eventually(
		() => all.filter(isRunning),
		(left) => expect(left).toEqual([]),
	);
	expect(processesIn(namespaces)).toEqual([]);
	expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain("fairlead");
	rmSync(report.folder, { recursive: true });
});

/** Whether it runs: who has ended and not been waited for yet by whoever inherited it does not. */
function isRunning(pid: number): boolean {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
	} catch {
		return false;
	}
}

test("a command runs in each place of the running sandbox, and in a container", async () => {
	const { inside, report } = await start();
	const file = join(folder, "state.json");
	await writeState(file, inside.pid, report.places);
	const state = await readState(file);
	const run = (target: Parameters<typeof commandIn>[1], script: string) => {
		const [program = "", ...args] = commandIn(
			state,
			target,
			["sh", "-c", script],
			"/usr",
		);
		return execFileSync(program, args, { encoding: "utf8" });
	};
	const addresses =
		"ip -4 -o addr show scope global | sed 's/.*inet \\([0-9.]*\\).*/\\1/'";
	expect(run({ place: "client" }, addresses)).toBe("172.30.0.1\n");
	expect(run({ place: "cloud" }, addresses)).toBe("172.30.0.2\n");
	expect(run({ place: "node-1" }, `${addresses}; pwd`)).toBe(
		"172.30.1.1\n/usr\n",
	);
	expect(
		run(
			{ process: report.container },
			`${addresses}; uname -n; cat /etc/hostname`,
		),
	).toBe("10.244.1.2\ntoy\ntoy");
});

test("a command's exit code comes back from inside", async () => {
	const { inside, report } = await start();
	const file = join(folder, "state.json");
	await writeState(file, inside.pid, report.places);
	const [program = "", ...args] = commandIn(
		await readState(file),
		{ place: "node-1" },
		["sh", "-c", "exit 9"],
		"/",
	);
	expect(spawnSync(program, args).status).toBe(9);
});

test("a place that is not there, and a sandbox that has ended, are said so", async () => {
	const { inside, report } = await start();
	const file = join(folder, "state.json");
	await writeState(file, inside.pid, report.places);
	const state = await readState(file);
	expect(() => commandIn(state, { place: "node-7" }, ["true"], "/")).toThrow(
		"there is no node-7 in the sandbox; there are client, cloud, node-1",
	);
	await inside.stop();
	await expect(readState(file)).rejects.toThrow(
		`the sandbox that wrote ${file} is not running any more`,
	);
	await expect(readState(join(folder, "other"))).rejects.toThrow(
		`no sandbox with namespaces has written ${join(folder, "other")}`,
	);
});

test("an inner process that does not come up is reported with its own words", async () => {
	const stderr = new PassThrough();
	const inside = startInside({
		command: ["/no/such/node"],
		env: {},
		listeners: {},
		start: () => Promise.resolve({}),
		onReport: () => {},
		stdout: process.stdout,
		stderr,
		clock: systemClock,
	});
	await expect(inside.started).rejects.toThrow(
		"the namespaces could not be made: unshare: failed to execute /no/such/node: No such file or directory",
	);
});

test.each([
	[
		"allows no network namespaces",
		"echo 0 > /proc/sys/user/max_net_namespaces; exec",
		"this machine allows no net namespaces (sysctl user.max_net_namespaces = 0)",
	],
	[
		"hides part of /proc, as containers do",
		"mount -t tmpfs none /proc/bus && exec unshare --map-root-user --mount --net",
		"this machine allows namespaces but not mounts in them, as in most containers (unshare: mount /proc failed: Operation not permitted)",
	],
])(
	"where the machine %s, the step that failed is named",
	(_how, script, sentence) => {
		const { status, stderr } = spawnSync(
			"unshare",
			[
				"--map-root-user",
				"--mount",
				"sh",
				"-c",
				`${script} "$@"`,
				"sh",
				process.execPath,
				new URL("./toy-outside.ts", import.meta.url).pathname,
			],
			{ encoding: "utf8" },
		);
		expect(stderr).toContain(`FairleadError: ${sentence}\n`);
		expect(status).toBe(1);
	},
);

test("a port that is taken is said so", () => {
	const { fd, port } = openListener("127.0.0.1", 0);
	expect(() => openListener("127.0.0.1", port)).toThrow(
		`cannot listen on 127.0.0.1:${port}: the port is taken`,
	);
	closeSync(fd);
});
