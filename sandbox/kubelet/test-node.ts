import type { ChildProcess } from "node:child_process";
import { request } from "node:http";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import type { NodeNetwork, PodNetwork } from "../network/network.ts";
import { UserspaceNetwork } from "../network/userspace/userspace-network.ts";

/** The first node of a network of mode userspace, which keeps note of what is started on it. */
export class TestNode implements NodeNetwork {
	readonly name: string;
	readonly address: string;
	readonly podCidr: string;
	readonly namespace = undefined;
	/** Addresses of pods that have a network now. */
	readonly pods = new Set<string>();
	/** Everything that was ever started. */
	readonly children: ChildProcess[] = [];
	/** What `addPod` throws. */
	refuse: Error | undefined;
	readonly #real: NodeNetwork;

	constructor() {
		this.#real = new UserspaceNetwork().addNode(1);
		this.name = this.#real.name;
		this.address = this.#real.address;
		this.podCidr = this.#real.podCidr;
	}

	addPod(options: { hostNetwork: boolean }): PodNetwork {
		if (this.refuse) throw this.refuse;
		const pod = this.#real.addPod(options);
		const { address } = pod;
		this.pods.add(address);
		return {
			address,
			namespace: undefined,
			connect: (target) => pod.connect(target),
			spawn: (command, about) => {
				const child = pod.spawn(command, about);
				this.children.push(child);
				return child;
			},
			publish: (port, reallyAt) => pod.publish?.(port, reallyAt),
			remove: () => {
				this.pods.delete(address);
				pod.remove();
			},
		};
	}

	connect(target: { host: string; port: number }): Socket {
		return this.#real.connect(target);
	}

	/** The answer to an HTTP request from the node. */
	get(host: string, port: number, path: string): Promise<string> {
		return new Promise((resolve, reject) => {
			request({ path, createConnection: () => this.connect({ host, port }) })
				.on("response", (response) => resolve(text(response)))
				.on("error", reject)
				.end();
		});
	}

	remove(): void {
		this.#real.remove();
	}

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
