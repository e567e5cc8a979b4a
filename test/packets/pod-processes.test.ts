import { jest } from "@jest/globals";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
	existsSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import type { Network, PodNetwork } from "../../sandbox/network/network.ts";

const files = {
	"/etc/resolv.conf": "nameserver 10.96.0.10\n",
	"/etc/hosts": "127.0.0.1 localhost\n",
	"/etc/hostname": "web-1\n",
};
const env = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", GREETING: "hello" };

jest.setTimeout(30_000);

let outside: NetworkNamespace;
let folder: string;
let network: Network;
let pod: PodNetwork;

beforeEach(() => {
	outside = createNetworkNamespace();
	folder = mkdtempSync(join(tmpdir(), "fairlead-pods-"));
	network = createNetwork({ mode: "netns", outside, folder });
	pod = network.addNode(1).addPod({ hostNetwork: false });
});

afterEach(async () => {
	await network.close();
	outside.close();
	rmSync(folder, { recursive: true });
});

type Options = Partial<Parameters<PodNetwork["spawn"]>[1]>;

function start(script: string, options: Options = {}): ChildProcess {
	return pod.spawn(["sh", "-c", script], {
		env,
		files,
		stdin: false,
		...options,
	});
}

interface Ended {
	code: number | null;
	signal: NodeJS.Signals | null;
	stdout: string;
	stderr: string;
}

async function end(child: ChildProcess): Promise<Ended> {
	const [stdout, stderr, [code, signal]] = await Promise.all([
		text(child.stdout as NodeJS.ReadableStream),
		text(child.stderr as NodeJS.ReadableStream),
		once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
	]);
	return { code, signal, stdout, stderr };
}

/** Resolves when the child has written a line. */
async function line(child: ChildProcess): Promise<string> {
	const [data] = (await once(
		child.stdout as NodeJS.ReadableStream,
		"data",
	)) as [Buffer];
	return data.toString();
}

test("a container sees the pod's files, hostname, address and processes, and its own environment", async () => {
	const container = await end(
		start(
			'cat /etc/resolv.conf /etc/hosts /etc/hostname; uname -n; echo "$GREETING"; echo $(($$ < 9)); ip -4 -o addr show eth0 | grep -o "inet [0-9./]*"',
		),
	);
	expect(container).toEqual({
		code: 0,
		signal: null,
		stdout:
			"nameserver 10.96.0.10\n127.0.0.1 localhost\nweb-1\nweb-1\nhello\n1\ninet 10.244.1.2/32\n",
		stderr: "",
	});
});

test("the machine's own files stay as they are, and a pod's go with it", async () => {
	const before = readFileSync("/etc/hosts", "utf8");
	await end(start("cat /etc/hosts"));
	expect(readFileSync("/etc/hosts", "utf8")).toBe(before);
	expect(existsSync(join(folder, "node-1-1", "1"))).toBe(false);
});

test("a file that the machine does not have is there in the pod, beside everything else", async () => {
	const path = "/var/lib/fairlead-test/secrets/token";
	const container = await end(
		start(`cat ${path}; echo; ls -d /var/lib/dpkg /var/lib/fairlead-test`, {
			files: { ...files, [path]: "sesame" },
		}),
	);
	expect(container.stdout).toBe(
		"sesame\n/var/lib/dpkg\n/var/lib/fairlead-test\n",
	);
	expect(existsSync("/var/lib/fairlead-test")).toBe(false);
});

test("containers of a pod share its network, and each has its own files", async () => {
	const other = { ...files, "/etc/hosts": "# second\n" };
	const first = start("ip -4 -o addr show eth0; cat /etc/hosts");
	const second = start("ip -4 -o addr show eth0; cat /etc/hosts", {
		files: other,
	});
	const [one, two] = await Promise.all([end(first), end(second)]);
	expect(one.stdout).toContain("10.244.1.2");
	expect(two.stdout).toBe(
		one.stdout.replace(files["/etc/hosts"], other["/etc/hosts"]),
	);
});

test.each([
	["exits with a code", "exit 7", { code: 7, signal: null }],
	["is ended by a signal", "kill -9 $$", { code: null, signal: "SIGKILL" }],
	["is not there", "exec /no/such/program", { code: 127, signal: null }],
])("a command that %s is reported so", async (_what, script, ended) => {
	expect(await end(start(script))).toMatchObject(ended);
});

test("a signal reaches the command itself, which may tidy up", async () => {
	const child = start(
		"trap 'echo tidy; exit 3' TERM; echo up; while :; do sleep 0.01; done",
	);
	expect(await line(child)).toBe("up\n");
	const ended = end(child);
	child.kill("SIGTERM");
	expect(await ended).toMatchObject({ code: 3, stdout: "tidy\n" });
});

test("a command that does not care about SIGTERM is ended by it", async () => {
	const child = pod.spawn(["sh", "-c", "echo up; exec sleep 1000"], {
		env,
		files,
		stdin: false,
	});
	await line(child);
	const ended = end(child);
	child.kill("SIGTERM");
	expect(await ended).toMatchObject({ code: null, signal: "SIGTERM" });
});

test("what is run within a container sees its files and processes, however early it comes", async () => {
	const container = start("exec sleep 1000");
	const inside = await end(
		start("cat /etc/hosts; uname -n; cat /proc/[0-9]*/cmdline | tr '\\0' ' '", {
			within: container,
		}),
	);
	expect(inside).toMatchObject({ code: 0, stderr: "" });
	expect(inside.stdout).toMatch(
		/^127\.0\.0\.1 localhost\nweb-1\n.*sleep 1000/s,
	);
});

test("within a container that has ended nothing can be run", async () => {
	const container = start("exit 0");
	await end(container);
	expect(() => start("true", { within: container })).toThrow(
		"cannot run sh in a container that has ended",
	);
});

test("a container that cannot be started says so and leaves nothing open", async () => {
	const ran = start("exit 0");
	await end(ran);
	const files = () => readdirSync("/proc/self/fd").length;
	const before = files();
	const child = start("exit 0", { cwd: "/no/such/folder" });
	const closed = new Promise((resolve) => child.once("close", resolve));
	const [error] = (await once(child, "error")) as [NodeJS.ErrnoException];
	expect(error.code).toBe("ENOENT");
	await closed;
	expect(files()).toBe(before);
	const long = "x".repeat(1 << 22);
	expect(() => start("exit 0", { env: { long } })).toThrow("E2BIG");
	const containers = readdirSync(folder).flatMap((each) =>
		readdirSync(join(folder, each)),
	);
	expect(containers).toEqual([]);
	expect(files()).toBe(before);
});

test("what is written to a command's input arrives", async () => {
	const child = start("cat", { stdin: true });
	child.stdin?.end("over here");
	expect((await end(child)).stdout).toBe("over here");
});

test("removing a pod ends everything that was ever started in it", async () => {
	const child = start(
		"(trap '' TERM HUP; setsid sleep 1000 & echo started; wait) & wait",
	);
	await line(child);
	const ended = once(child, "exit");
	const inside = readFileSync(
		`/proc/${child.pid}/task/${child.pid}/children`,
		"utf8",
	);
	pod.remove();
	expect(await ended).toEqual([null, "SIGKILL"]);
	await network.close();
	for (const pid of inside.trim().split(" "))
		expect(existsSync(`/proc/${pid}`)).toBe(false);
	expect(readdirSync(folder)).toEqual([]);
});

test("orphans are buried", async () => {
	const container = await end(
		start(
			"orphan=$(sh -c 'sleep 0 & echo $!'); while [ -e /proc/$orphan ]; do sleep 0.01; done; echo buried",
		),
	);
	expect(container.stdout).toBe("buried\n");
});

test("whoever kills every process he sees does not end the pod", async () => {
	await end(start("kill -9 -1"));
	expect((await end(start("echo still here"))).stdout).toBe("still here\n");
});

test("a container that signals its whole group hits only itself", async () => {
	const neighbour = start("echo up; exec sleep 1000");
	await line(neighbour);
	expect(await end(start("kill -9 0"))).toMatchObject({ signal: "SIGKILL" });
	expect(neighbour.exitCode).toBe(null);
	expect(neighbour.signalCode).toBe(null);
});
