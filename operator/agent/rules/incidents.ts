import type { Log } from "../../log.ts";

/** Something on this node that people should hear of. */
export interface AgentIncident {
	reason:
		| "RulesRepaired"
		| "RulesFailed"
		| "ServiceRefused"
		| "FailedToStartServiceHealthcheck"
		| "KubeProxyRulesDiffer";
	note: string;
	/** `namespace/name`; absent: it is about the node. */
	service?: string;
}

/** Says once when something begins, and once when it is over, however often it is tried in between. */
export class Incidents {
	readonly #log: Log;
	readonly #tell: (incident: AgentIncident) => void;
	#trouble: string | undefined;
	#refused: ReadonlyMap<string, string> = new Map();

	constructor(log: Log, tell: (incident: AgentIncident) => void) {
		this.#log = log;
		this.#tell = tell;
	}

	/** Why the last attempt to write rules failed; undefined if it did not. */
	get trouble(): string | undefined {
		return this.#trouble;
	}

	failed(error: Error): void {
		const trouble = `rules: ${error.message}`;
		if (this.#trouble === trouble) return;
		this.#trouble = trouble;
		this.#log.error({ err: error }, "rules cannot be written; trying again");
		this.#tell({ reason: "RulesFailed", note: error.message });
	}

	drifted(what: string): void {
		this.#log.warn(
			{ drift: what },
			"somebody changed the rules; writing them anew",
		);
		this.#tell({
			reason: "RulesRepaired",
			note: `somebody else changed Fairlead's rules (${what}); they are written anew`,
		});
	}

	succeeded(refused: ReadonlyMap<string, string>): void {
		if (this.#trouble !== undefined) this.#log.info("rules are written again");
		this.#trouble = undefined;
		for (const [service, why] of refused) {
			if (this.#refused.get(service) === why) continue;
			this.#log.error({ service, why }, "the kernel refuses a Service's rules");
			this.#tell({ reason: "ServiceRefused", note: why, service });
		}
		this.#refused = refused;
	}
}
