import { readFileSync } from "node:fs";
import type { Pod } from "../../api/core.ts";
import type { Cancel, Clock } from "../../clock.ts";
import type { Store } from "../../cluster/index.ts";
import type { NetworkNamespace } from "../../kernel/namespaces.ts";
import type { Log } from "../../log.ts";
import type { NodePortFacts } from "../../model/agent-report.ts";
import { hostPortsOf } from "../../model/nodeports/host-ports.ts";
import { inRange, type PortRange } from "../../model/nodeports/port-range.ts";
import {
	type OpenSocket,
	readPortPair,
	readReserved,
	readSockets,
} from "./proc-sockets.ts";
import { socketOwners } from "./socket-owners.ts";

export interface NodePortFactsOptions {
	/** The node's own; absent: no sockets and kernel settings are reported. */
	namespace?: NetworkNamespace;
	/** Pods of this node; absent: no hostPorts are reported. */
	pods?: Pick<Store<Pod>, "values" | "onChange">;
	/** The API server's NodePorts. */
	range: PortRange;
	clock: Clock;
	log: Log;
	/** Milliseconds between two looks at the sockets, which nobody tells of. */
	everyMs?: number;
}

type Listening = NonNullable<NodePortFacts["listening"]>[number];

/** Processes whose sockets on NodePorts are the cluster's own. */
const ownNames = new Set(["kube-proxy"]);

/** Finds what on a node may clash with NodePorts: hostPorts at once, sockets and kernel settings every minute. */
export class NodePortFactsReader {
	readonly #options: NodePortFactsOptions;
	readonly #listeners = new Set<() => void>();
	#facts: NodePortFacts | undefined;
	#sockets: OpenSocket[] = [];
	#kernel: Pick<NodePortFacts, "ephemeral" | "reserved"> = {};
	#listening: Listening[] = [];
	#cancel: Cancel = () => {};
	#undo: () => void = () => {};
	#stopped = false;
	#said: string | undefined;

	constructor(options: NodePortFactsOptions) {
		this.#options = options;
	}

	/** As last found; undefined before that. */
	get facts(): NodePortFacts | undefined {
		return this.#facts;
	}

	/** Returns what takes the listener off again. */
	onChange(listener: () => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Resolves after the first look. */
	async start(): Promise<void> {
		this.#undo =
			this.#options.pods?.onChange(() => {
				if (this.#facts) this.#publish();
			}) ?? (() => {});
		await this.#look();
	}

	stop(): void {
		this.#stopped = true;
		this.#cancel();
		this.#undo();
	}

	async #look(): Promise<void> {
		const { clock, log, everyMs = 60_000 } = this.#options;
		try {
			this.#read();
			await this.#name();
			this.#publish();
			this.#said = undefined;
		} catch (error) {
			const { message } = error as Error;
			if (message !== this.#said)
				log.warn(`cannot see which ports of this node are in use: ${message}`);
			this.#said = message;
		}
		if (!this.#stopped)
			this.#cancel = clock.after(everyMs, () => void this.#look());
	}

	/** In the node's namespace, so without a pause: another node's agent may run on this thread. */
	#read(): void {
		const { namespace, range } = this.#options;
		namespace?.run(() => {
			this.#sockets = (["tcp", "tcp6", "udp", "udp6"] as const)
				.flatMap((table) =>
					// thread-self, not self: only this thread is in the namespace.
					readSockets(table, ifThere(`/proc/thread-self/net/${table}`)),
				)
				.filter(({ port }) => inRange(range, port));
			const ephemeral = readPortPair(
				ifThere("/proc/sys/net/ipv4/ip_local_port_range"),
			);
			const reserved = readReserved(
				ifThere("/proc/sys/net/ipv4/ip_local_reserved_ports"),
			);
			this.#kernel = {
				...(ephemeral ? { ephemeral } : {}),
				...(reserved.length > 0 ? { reserved } : {}),
			};
		});
	}

	async #name(): Promise<void> {
		const owners = await socketOwners(
			new Set(this.#sockets.map(({ inode }) => inode)),
		);
		const listening = new Map<string, Listening>();
		for (const { port, protocol, inode } of this.#sockets) {
			const owner = owners.get(inode);
			if (owner?.pid === process.pid || ownNames.has(owner?.name ?? ""))
				continue;
			listening.set(`${port}/${protocol}`, {
				port,
				protocol,
				...(owner?.name ? { process: owner.name } : {}),
			});
		}
		this.#listening = [...listening.values()].sort(
			(a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1),
		);
	}

	#publish(): void {
		const { pods, range } = this.#options;
		const hostPorts = [...(pods?.values() ?? [])]
			.flatMap(hostPortsOf)
			.filter(({ port }) => inRange(range, port))
			.sort(
				(a, b) =>
					a.port - b.port ||
					(`${a.protocol} ${a.pod}` < `${b.protocol} ${b.pod}` ? -1 : 1),
			);
		const facts: NodePortFacts = {
			...this.#kernel,
			...(this.#listening.length > 0 ? { listening: this.#listening } : {}),
			...(hostPorts.length > 0 ? { hostPorts } : {}),
		};
		if (JSON.stringify(facts) === JSON.stringify(this.#facts)) return;
		this.#facts = facts;
		for (const listener of this.#listeners) listener();
	}
}

/** A kernel without IPv6 has no tables of it. */
function ifThere(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
		throw error;
	}
}
