import type { Cancel, Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import {
	compareRules,
	type Findings,
	kubeProxyProgram,
} from "../../model/rules/audit/compare.ts";
import type { KubeProxyRules } from "../../model/rules/audit/kube-proxy-rules.ts";
import { type NodeSettings, rulesNode } from "../../model/rules/rules-node.ts";
import type { AgentIncident } from "../rules/incidents.ts";
import type { AgentStores } from "../stores.ts";

/** Milliseconds. */
export const auditTimes = {
	/** How often kube-proxy's rules are read when nothing has changed. */
	everyMs: 60_000,
	/** After a change: kube-proxy has its own pace. */
	afterChangeMs: 10_000,
	/** What is found must be there still this much later: what kube-proxy is about to write is no finding. */
	confirmMs: 5_000,
};

export interface RulesAuditOptions {
	node: string;
	stores: AgentStores;
	settings: NodeSettings;
	/** Undefined: kube-proxy has no nftables rules here. */
	read: () => Promise<KubeProxyRules | undefined>;
	clock: Clock;
	log: Log;
	/** Told once when it begins. */
	tell: (incident: AgentIncident) => void;
}

/** Compares kube-proxy's rules on this node with what they should be, and says what changes in that. Writes nothing to the kernel. */
export class RulesAudit {
	readonly #options: RulesAuditOptions;
	/** Of the last look, confirmed or not. */
	#seen: Findings = new Map();
	#confirmed: Findings = new Map();
	#trouble: string | undefined = "audit: nothing is read yet";
	#lookedAt: number | undefined;
	#cancel: Cancel = () => {};
	#dueAt = Number.POSITIVE_INFINITY;
	#looking = false;
	#running = false;
	readonly #undo: (() => void)[] = [];

	constructor(options: RulesAuditOptions) {
		this.#options = options;
	}

	/** What is wrong since two looks or more, by Service. */
	get findings(): ReadonlyMap<string, readonly string[]> {
		return this.#confirmed;
	}

	/** Why nothing can be said at present. */
	get trouble(): string | undefined {
		return this.#trouble;
	}

	/** Wall time of the last look that succeeded. */
	get lookedAt(): number | undefined {
		return this.#lookedAt;
	}

	/** Looks on a schedule, and after changes. */
	start(): void {
		const { stores } = this.#options;
		this.#running = true;
		void stores.synced.then(() => {
			if (!this.#running) return;
			const changed = () => this.#lookIn(auditTimes.afterChangeMs);
			this.#undo.push(
				stores.services.onChange(changed),
				stores.endpointSlices.onChange(changed),
			);
			this.#lookIn(0);
		});
	}

	stop(): void {
		this.#running = false;
		this.#cancel();
		for (const each of this.#undo) each();
	}

	/** Looks once; the caches must be complete. Rejects when the rules cannot be read. */
	async look(): Promise<void> {
		const { node, stores, settings, read, clock } = this.#options;
		const before = versions(stores);
		const found = await read();
		if (!found) throw new Error(nothingThere);
		// What changed meanwhile is compared with rules that could not know of it.
		if (versions(stores) !== before) this.#lookIn(auditTimes.confirmMs);
		const here = stores.nodes.get(node) ?? { metadata: { name: node } };
		const findings = compareRules(
			kubeProxyProgram(
				stores.services.values(),
				stores.endpointSlices.values(),
				rulesNode(here, settings),
			),
			found,
		);
		if (found.broken.length > 0) findings.set("", found.broken);
		this.#lookedAt = clock.now();
		this.#take(findings);
	}

	/** A finding counts when two looks in a row had one about the same Service. */
	#take(findings: Findings): void {
		const confirmed: Findings = new Map();
		for (const [service, sentences] of findings)
			if (this.#seen.has(service)) confirmed.set(service, sentences);
		this.#seen = findings;
		if (confirmed.size < findings.size) this.#lookIn(auditTimes.confirmMs);
		const { log, tell } = this.#options;
		for (const [service, sentences] of confirmed) {
			const known = this.#confirmed.get(service);
			if (known?.join() === sentences.join()) continue;
			log.warn(
				{ service, findings: sentences },
				"kube-proxy's rules are not what they should be",
			);
			if (known) continue;
			tell({
				reason: "KubeProxyRulesDiffer",
				note: `kube-proxy's rules: ${sentences.slice(0, 3).join("; ")}`,
				...(service === "" ? {} : { service }),
			});
		}
		for (const service of this.#confirmed.keys())
			if (!confirmed.has(service))
				log.info({ service }, "kube-proxy's rules are what they should be");
		this.#confirmed = confirmed;
	}

	/** At the latest then. */
	#lookIn(ms: number): void {
		const at = this.#options.clock.monotonic() + ms;
		if (!this.#running || at >= this.#dueAt) return;
		this.#cancel();
		this.#dueAt = at;
		this.#cancel = this.#options.clock.after(ms, () => void this.#scheduled());
	}

	async #scheduled(): Promise<void> {
		this.#dueAt = Number.POSITIVE_INFINITY;
		if (this.#looking) return;
		this.#looking = true;
		try {
			await this.look();
			this.#trouble = undefined;
		} catch (error) {
			const trouble = `audit: ${(error as Error).message}`;
			if (trouble !== this.#trouble)
				this.#options.log.warn({ err: error }, "the audit cannot look");
			this.#trouble = trouble;
		} finally {
			this.#looking = false;
			this.#lookIn(auditTimes.everyMs);
		}
	}
}

const nothingThere =
	"there is no table kube-proxy in nftables: kube-proxy does not run here, runs in another mode, or something takes its place that bypasses netfilter, as Cilium's eBPF programs do; use --rules off there";

function versions({ services, endpointSlices }: AgentStores): string {
	return `${services.resourceVersion} ${endpointSlices.resourceVersion}`;
}
