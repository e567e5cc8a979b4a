import type { NodePortFacts } from "../../model/agent-report.ts";
import type { Watermark } from "../../model/watermark.ts";
import type { AgentStores } from "../stores.ts";
import { AgentLease, type AgentLeaseOptions } from "./agent-lease.ts";
import { OurChanges } from "./our-changes.ts";

export interface NodeReportOptions
	extends Omit<AgentLeaseOptions, "nodeUid" | "report"> {
	stores: AgentStores;
	rules: "full" | "balancers" | "audit";
	/** Of the rules in force. */
	rulesAt: () => Watermark | undefined;
	/** Services (`namespace/name`) the kernel refuses, with a sentence each. */
	refused: () => ReadonlyMap<string, string>;
	nodePortFacts?: NodePortFactsSource;
}

export interface NodePortFactsSource {
	/** As last found; undefined before that. */
	readonly facts: NodePortFacts | undefined;
	/** Returns what takes the listener off again. */
	onChange(listener: () => void): () => void;
}

/** Reports on a node whenever its rules have taken in something that a Service of ours waits for. */
export class NodeReport {
	readonly #options: NodeReportOptions;
	readonly #lease: AgentLease;
	readonly #ours: OurChanges;
	readonly #undo: (() => void)[] = [];
	/** Of the last report that was asked for. */
	#refused: string | undefined;

	constructor(options: NodeReportOptions) {
		this.#options = options;
		const { node, rules, rulesAt, stores, nodePortFacts } = options;
		this.#ours = new OurChanges(stores);
		this.#lease = new AgentLease({
			...options,
			nodeUid: async () => stores.nodes.get(node)?.metadata.uid,
			report: () => {
				const reached = rulesAt();
				const ports = nodePortFacts?.facts;
				return {
					node,
					rules,
					...(reached ? { reached } : {}),
					refused: Object.fromEntries(this.#refusedOfOurs()),
					...(ports ? { ports } : {}),
				};
			},
		});
		this.#undo.push(
			() => this.#ours.stop(),
			stores.nodes.onChange(({ type, object }) => {
				if (object.metadata.name === node && type === "added")
					this.#lease.nodeIsThere();
			}),
		);
		if (nodePortFacts)
			this.#undo.push(nodePortFacts.onChange(() => this.#lease.changed()));
	}

	get trouble(): string | undefined {
		return this.#lease.trouble;
	}

	start(): void {
		this.#lease.start();
	}

	/** The rules have taken in what had changed. */
	synced(): void {
		const changes = this.#ours.take();
		const refused = JSON.stringify(this.#refusedOfOurs());
		if (!changes && refused === this.#refused) return;
		this.#refused = refused;
		this.#lease.changed();
	}

	stop(): void {
		for (const undo of this.#undo) undo();
		this.#lease.stop();
	}

	#refusedOfOurs(): [string, string][] {
		return [...this.#options.refused()].filter(([key]) =>
			this.#ours.isOurs(key),
		);
	}
}
