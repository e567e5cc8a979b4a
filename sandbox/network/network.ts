import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";

/** How packets travel: `netns`, each node and pod in a network namespace of its own; `userspace`, everything in this process. */
export type NetworkMode = "netns" | "userspace";

/** The sandbox's network: the same addresses in both modes. 172.30.0.0/16 for machines, 10.244.0.0/16 for pods. */
export interface Network {
	readonly mode: NetworkMode;
	/** 172.30.0.1: where API server and DNS listen for nodes and pods, and the door's clients come from. */
	readonly outside: Place;
	/** 172.30.0.2: the cloud's balancers, with 203.0.113.0/24 routed to it. */
	readonly cloud: Place;
	/** `node-N`, from 1; its address is 172.30.1.N and its pods' 10.244.N.0/24. */
	addNode(number: number): NodeNetwork;
	close(): Promise<void>;
}

/** Somewhere that has addresses. */
export interface Place {
	readonly address: string;
	/** Absent in mode userspace. */
	readonly namespace: NetworkNamespace | undefined;
	/** A connection from here, decided by the same rules as anybody's packets. */
	connect(target: { host: string; port: number }): Socket;
}

export interface NodeNetwork extends Place {
	readonly name: string;
	readonly podCidr: string;
	/** Throws NetworkUnavailable when the node has no address left. */
	addPod(options: { hostNetwork: boolean }): PodNetwork;
	/** The node and its pods' network are gone. */
	remove(): void;
}

export interface PodNetwork extends Place {
	/**
	 * Starts a process in the pod: its network, its hostname (what /etc/hostname says), and the files at these paths instead
	 * of the host's. The child is the command itself, the first of a process group: signals reach it and its end is its own;
	 * 127 says that it is not there, 125 that its mounts could not be made.
	 *
	 * @throws KernelFailed when `within` has ended; NetworkUnavailable for a file in a folder at the root that this machine
	 * does not have
	 */
	spawn(
		command: readonly string[],
		options: {
			env: Record<string, string>;
			cwd?: string;
			/** For instance /etc/resolv.conf, /etc/hosts, /etc/hostname. Mode userspace leaves the host's in place. */
			files: Record<string, string>;
			/** Joins the mount and process namespaces of an earlier one (exec). */
			within?: ChildProcess;
			stdin: boolean;
		},
	): ChildProcess;
	/**
	 * Mode userspace: where the pod's processes really listen. A program that knows the sandbox listens on
	 * 127.0.0.1 at any port and reports it here; `undefined` in mode netns, where the pod's own port is real.
	 */
	publish?(port: number, reallyAt: { host: string; port: number }): void;
	remove(): void;
}
