import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";

/** `+GROUP` and `-GROUP` line by line; at the end, which comes when the sandbox is gone, it kills the groups that are left. */
const script = `groups=' '
while read -r line; do
	group=\${line#?}
	case $line in
	+*) groups="$groups$group " ;;
	-*) groups="\${groups%% $group *} \${groups#* $group }" ;;
	esac
done
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null`;

/** Sees to it that plain processes do not outlive this one, however it ends: what namespaces do by themselves. */
export class Undertaker {
	readonly #groups = new Set<number>();
	#shell: ChildProcess | undefined;

	/** A process group to end with this process. */
	watch(group: number): void {
		this.#groups.add(group);
		if (this.#shell) this.#say(`+${group}`);
		else this.#start();
	}

	/** It has ended: its number may become somebody else's. */
	forget(group: number): void {
		if (this.#groups.delete(group)) this.#say(`-${group}`);
	}

	/** Ends what is left. */
	close(): void {
		this.#shell?.stdin?.end();
		this.#shell = undefined;
		this.#groups.clear();
	}

	#start(): void {
		const shell = spawn("/bin/sh", ["-c", script], {
			env: {},
			// Ctrl-C is for the sandbox, which ends its processes in order.
			detached: true,
			stdio: ["pipe", "ignore", "ignore"],
		});
		this.#shell = shell;
		const lost = () => {
			// Killed by somebody: the next process starts another, which is told of all.
			if (this.#shell === shell) this.#shell = undefined;
		};
		shell.once("exit", lost);
		shell.stdin?.once("error", lost);
		shell.unref();
		(shell.stdin as Socket).unref();
		for (const group of this.#groups) this.#say(`+${group}`);
	}

	#say(line: string): void {
		this.#shell?.stdin?.write(`${line}\n`);
	}
}
