import { Gauge, type Registry } from "prom-client";
import type { RulesAudit } from "./rules-audit.ts";

/** Registers what an agent that audits tells of itself; docs/reference/metrics.md lists it. */
export function auditMetrics(
	registry: Registry,
	audit: Pick<RulesAudit, "findings" | "lookedAt">,
): void {
	const registers = [registry];
	new Gauge({
		name: "fairlead_agent_audit_services",
		help: "With --rules audit: Services for which kube-proxy's rules on this node are not what they should be.",
		registers,
		collect() {
			this.set(audit.findings.size);
		},
	});
	new Gauge({
		name: "fairlead_agent_audit_last_timestamp_seconds",
		help: "With --rules audit: when kube-proxy's rules were last compared, in seconds since the epoch; 0: not yet.",
		registers,
		collect() {
			this.set((audit.lookedAt ?? 0) / 1000);
		},
	});
}
