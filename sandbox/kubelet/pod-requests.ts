import { existsSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import type { Container, Pod } from "../../operator/api/core.ts";
import type { Store } from "../../operator/cluster/index.ts";
import { startProblem } from "./executable.ts";
import { streamLog } from "./log-stream.ts";
import {
	type ExecSession,
	type PodAccess,
	PodAccessError,
} from "./pod-access.ts";
import type { PodWorker } from "./pod-worker.ts";

type Name = { namespace: string; name: string };

/** A kubelet as far as these requests go. */
export interface Node {
	readonly name: string;
	worker(pod: Name): PodWorker | undefined;
}

/** Where Linux distributions keep the program that lends a command a terminal. */
const script = "/usr/bin/script";

/**
 * Answers what the API server asks about pods from the kubelets that run them; the sentences are those of
 * pkg/registry/core/pod/strategy.go and pkg/kubelet/kubelet_pods.go (validateContainerLogStatus).
 */
export function podAccess(
	pods: Store<Pod>,
	kubelets: () => Iterable<Node>,
): PodAccess {
	const find = (name: Name): Pod => {
		const pod = pods.get(`${name.namespace}/${name.name}`);
		if (!pod) throw new PodAccessError(404, `pods "${name.name}" not found`);
		return pod;
	};
	const workerOf = (pod: Pod): PodWorker | undefined => {
		const { nodeName } = pod.spec;
		const { namespace = "default", name } = pod.metadata;
		for (const kubelet of kubelets())
			if (kubelet.name === nodeName) return kubelet.worker({ namespace, name });
		throw new PodAccessError(
			500,
			`no kubelet runs on node ${JSON.stringify(nodeName)} of pod ${JSON.stringify(name)}`,
		);
	};
	return {
		logs(name, { container: asked, previous, ...options }) {
			const pod = find(name);
			const container = containerOf(pod, asked);
			// Of a pod without a node there is nothing to read yet, which is no error.
			if (!pod.spec.nodeName) return Readable.from([]);
			const worker = workerOf(pod);
			const which = instanceOf(pod, worker, container, previous);
			const log = worker?.logs(container.name)[which];
			return log ? streamLog(log, options) : Readable.from([]);
		},
		exec(name, { container: asked, command, stdin, tty }) {
			const pod = find(name);
			const container = containerOf(pod, asked);
			if (!pod.spec.nodeName)
				throw new PodAccessError(
					400,
					`pod ${name.name} does not have a host assigned`,
				);
			const process = workerOf(pod)?.process(container.name);
			if (!process)
				throw new PodAccessError(
					500,
					`container not found ("${container.name}")`,
				);
			const { env, cwd } = process.surroundings;
			const problem = startProblem(command, env["PATH"] ?? "", cwd);
			if (problem !== undefined) return unstarted(stdin, tty, problem);
			if (tty && !existsSync(script))
				throw new PodAccessError(
					400,
					`a terminal needs ${script} (util-linux), which this machine does not have; leave out -t`,
				);
			const { child, ended, kill } = process.exec(
				tty ? onTerminal(command) : command,
				{ stdin, ...(tty && { env: { TERM: "xterm" } }) },
			);
			// The command may end while somebody still types.
			child.stdin?.on("error", () => {});
			return {
				stdin: child.stdin ?? undefined,
				stdout: child.stdout as Readable,
				stderr: tty ? undefined : (child.stderr as Readable),
				ended,
				kill,
			};
		},
		connect(name, port) {
			const pod = find(name);
			const socket = pod.spec.nodeName
				? workerOf(pod)?.connect(port)
				: undefined;
			if (!socket)
				throw new PodAccessError(
					400,
					`unable to forward port because pod is not running. Current status=${pod.status?.phase ?? "Pending"}`,
				);
			return socket;
		},
	};
}

function containerOf(pod: Pod, asked: string | undefined): Container {
	const { containers, initContainers = [] } = pod.spec;
	const { name } = pod.metadata;
	const names = (list: Container[]) =>
		`[${list.map((each) => each.name).join(" ")}]`;
	if (!asked) {
		const [only, ...others] = containers;
		if (only && others.length === 0) return only;
		const init =
			initContainers.length > 0
				? ` or one of the init containers: ${names(initContainers)}`
				: "";
		throw new PodAccessError(
			400,
			`a container name must be specified for pod ${name}, choose one of: ${names(containers)}${init}`,
		);
	}
	const found = [...containers, ...initContainers].find(
		(each) => each.name === asked,
	);
	if (found) return found;
	throw new PodAccessError(
		400,
		`container ${asked} is not valid for pod ${name}`,
	);
}

/** Which of a container's logs is asked for. Throws when there has been no such instance. */
function instanceOf(
	pod: Pod,
	worker: PodWorker | undefined,
	container: Container,
	previous: boolean,
): "current" | "previous" {
	const { containerStatuses = [], initContainerStatuses = [] } =
		worker?.status() ?? {};
	const status = [...containerStatuses, ...initContainerStatuses].find(
		({ name }) => name === container.name,
	);
	const { state, lastState } = status ?? {};
	const subject = `container "${container.name}" in pod "${pod.metadata.name}"`;
	if (previous) {
		// While it waits to start again, the last instance is the previous one.
		if (lastState?.terminated?.containerID)
			return state?.waiting ? "current" : "previous";
		throw new PodAccessError(400, `previous terminated ${subject} not found`);
	}
	if (state?.running || state?.terminated || lastState?.terminated)
		return "current";
	const reason = state?.waiting?.reason;
	if (!reason)
		throw new PodAccessError(
			400,
			`${subject} is waiting to start - no logs yet`,
		);
	const why: Record<string, string> = {
		ErrImagePull: "image can't be pulled",
		ImagePullBackOff: "trying and failing to pull image",
	};
	throw new PodAccessError(
		400,
		`${subject} is waiting to start: ${why[reason] ?? reason}`,
	);
}

function unstarted(stdin: boolean, tty: boolean, problem: string): ExecSession {
	return {
		stdin: stdin ? discard() : undefined,
		stdout: Readable.from([]),
		stderr: tty ? undefined : Readable.from([]),
		ended: Promise.resolve({
			problem: `error executing command in container: ${problem}`,
		}),
		kill() {},
	};
}

function discard(): Writable {
	return new Writable({ write: (_chunk, _encoding, done) => done() });
}

function onTerminal(command: readonly string[]): string[] {
	const quoted = command.map((each) => `'${each.replaceAll("'", "'\\''")}'`);
	return [
		script,
		"--quiet",
		"--return",
		"--command",
		`exec ${quoted.join(" ")}`,
		"/dev/null",
	];
}
