import { type ChildProcess, spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import type { NodeNetwork, PodNetwork } from "../network/network.ts";

/** A node whose pods are plain processes of this machine: their ports are wherever they published them. */
export class TestNode implements NodeNetwork {
	readonly name: string;
	readonly address: string;
	readonly podCidr: string;
	readonly namespace = undefined;
	/** Pods that have a network now. */
	readonly pods = new Map<string, TestPod>();
	/** Everything that was ever started. */
	readonly children: ChildProcess[] = [];
	/** What `addPod` throws. */
	refuse: Error | undefined;
	#count = 1;

	constructor(number = 1) {
		this.name = `node-${number}`;
		this.address = `127.0.1.${number}`;
		this.podCidr = `10.244.${number}.0/24`;
	}

	addPod({ hostNetwork }: { hostNetwork: boolean }): PodNetwork {
		if (this.refuse) throw this.refuse;
		const address = hostNetwork
			? this.address
			: this.podCidr.replace(/0\/24$/, String(++this.#count));
		const pod = new TestPod(this, address);
		this.pods.set(address, pod);
		return pod;
	}

	connect({ host, port }: { host: string; port: number }): Socket {
		const at = this.pods.get(host)?.ports.get(port);
		// Port 1 of loopback: nobody listens there.
		return connect(at ?? { host: "127.0.0.1", port: 1 });
	}

	remove(): void {}

	/** Processes that are still there. */
	get alive(): number[] {
		return this.children
			.filter(
				({ exitCode, signalCode, pid }) =>
					pid !== undefined && exitCode === null && signalCode === null,
			)
			.map(({ pid }) => pid as number);
	}
}

class TestPod implements PodNetwork {
	readonly address: string;
	readonly namespace = undefined;
	readonly ports = new Map<number, { host: string; port: number }>();
	readonly #node: TestNode;

	constructor(node: TestNode, address: string) {
		this.#node = node;
		this.address = address;
	}

	connect(target: { host: string; port: number }): Socket {
		return this.#node.connect(target);
	}

	spawn(
		command: readonly string[],
		{ env, cwd, stdin }: Parameters<PodNetwork["spawn"]>[1],
	): ChildProcess {
		const [program = "", ...args] = command;
		const child = spawn(program, args, {
			env,
			...(cwd !== undefined && { cwd }),
			stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"],
			detached: true,
		});
		this.#node.children.push(child);
		return child;
	}

	publish(port: number, reallyAt: { host: string; port: number }): void {
		this.ports.set(port, reallyAt);
	}

	remove(): void {
		this.#node.pods.delete(this.address);
	}
}
