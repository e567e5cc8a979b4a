import type { Probe } from "../../operator/api/core.ts";

export type Verdict = "success" | "failure" | "unknown";

/** How a probe stands (pkg/kubelet/prober/worker.go): a verdict changes after enough equal results in a row. */
export interface ProbeTally {
	verdict: Verdict;
	last: boolean | undefined;
	/** Equal results in a row. */
	run: number;
}

/** Before the first look: alive, but not ready, and not known to have started. */
export const initialVerdicts = {
	liveness: "success",
	readiness: "failure",
	startup: "unknown",
} as const satisfies Record<string, Verdict>;

/** The tally after one more result. */
export function tallied(
	before: ProbeTally,
	ok: boolean,
	probe: Pick<Probe, "successThreshold" | "failureThreshold">,
): ProbeTally {
	const run = before.last === ok ? before.run + 1 : 1;
	const enough = ok ? probe.successThreshold || 1 : probe.failureThreshold || 3;
	const verdict = run < enough ? before.verdict : ok ? "success" : "failure";
	return { verdict, last: ok, run };
}
