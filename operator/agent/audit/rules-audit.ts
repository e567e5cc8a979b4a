import type { Cancel, Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import {
	compareRules,
	type Findings,
} from "../../model/rules/audit/compare.ts";
import type { KubeProxyRules } from "../../model/rules/audit/kube-proxy-rules.ts";
import { type Look, nextLookAt } from "../../model/rules/audit/look-pace.ts";
import { wantedFrontends } from "../../model/rules/audit/wanted-frontends.ts";
import {
	familyOf,
	type NodeSettings,
	rulesNode,
} from "../../model/rules/rules-node.ts";
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
	/** Rejects when nothing can be said of kube-proxy's rules. */
	read: () => Promise<KubeProxyRules>;
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
	/** When the next look is wished for, on the monotonic clock. */
	#wantedAt = Number.POSITIVE_INFINITY;
	#last: Look | undefined;
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
		// What changed meanwhile is compared with rules that could not know of it.
		if (versions(stores) !== before) this.#lookIn(auditTimes.confirmMs);
		const here = stores.nodes.get(node) ?? { metadata: { name: node } };
		const self = rulesNode(here, settings);
		const findings = compareRules(
			wantedFrontends({
				services: stores.services.values(),
				slices: stores.endpointSlices.values(),
				node: self,
				families: found.families,
			}),
			found,
		);
		const broken = [
			...found.broken,
			...[...new Set(self.nodePortAddresses.map(familyOf))]
				.filter((family) => found.unreached?.has(family))
				.map((family) => `${family}: nothing leads to the NodePorts`),
		];
		if (broken.length > 0)
			findings.set("", [...(findings.get("") ?? []), ...broken]);
		this.#lookedAt = clock.now();
		this.#take(findings);
	}

	/** A sentence counts when two looks in a row had it: what kube-proxy is about to write is another one each time. */
	#take(findings: Findings): void {
		const confirmed: Findings = new Map();
		let doubtful = false;
		for (const [service, sentences] of findings) {
			const before = this.#seen.get(service) ?? [];
			const again = sentences.filter((each) => before.includes(each));
			if (again.length > 0) confirmed.set(service, again);
			if (again.length < sentences.length) doubtful = true;
		}
		this.#seen = findings;
		if (doubtful) this.#lookIn(auditTimes.confirmMs);
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

	/** Then at the latest, as far as `nextLookAt` allows. */
	#lookIn(ms: number): void {
		const at = this.#options.clock.monotonic() + ms;
		if (!this.#running || at >= this.#wantedAt) return;
		this.#wantedAt = at;
		if (!this.#looking) this.#arm();
	}

	#arm(): void {
		const { clock } = this.#options;
		this.#cancel();
		const at = nextLookAt(this.#wantedAt, this.#last);
		this.#cancel = clock.after(
			at - clock.monotonic(),
			() => void this.#scheduled(),
		);
	}

	async #scheduled(): Promise<void> {
		const { clock, log } = this.#options;
		this.#wantedAt = Number.POSITIVE_INFINITY;
		this.#looking = true;
		const begun = clock.monotonic();
		try {
			await this.look();
			this.#trouble = undefined;
		} catch (error) {
			const trouble = `audit: ${(error as Error).message}`;
			if (trouble !== this.#trouble)
				log.warn({ err: error }, "the audit cannot look");
			this.#trouble = trouble;
		} finally {
			this.#looking = false;
			const endedAt = clock.monotonic();
			this.#last = { endedAt, tookMs: endedAt - begun };
			this.#lookIn(auditTimes.everyMs);
			// What was wished for while it looked waits for its turn as well.
			if (this.#running) this.#arm();
		}
	}
}

function versions({ services, endpointSlices }: AgentStores): string {
	return `${services.resourceVersion} ${endpointSlices.resourceVersion}`;
}
