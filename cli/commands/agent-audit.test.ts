import { Registry } from "prom-client";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { agentFlags } from "../config.ts";
import { parseFlags } from "../flags.ts";
import { auditRules } from "./agent-audit.ts";

const refused = () =>
	Promise.reject(
		new FairleadError("KubeUnreachable", "connect ECONNREFUSED 192.0.2.1:6443"),
	);

/** `--rules audit --once` of an API server that refuses connections. */
function auditOnce() {
	const clock = new FakeClock();
	const stop = new AbortController();
	const log = quietLog();
	const client = {
		list: refused,
		watch: refused,
		close: () => {},
	} as unknown as KubeClient;
	const random = () => 0.5;
	const ended = auditRules({
		flags: parseFlags(agentFlags, [
			...["--node", "node-1", "--rules", "audit", "--once"],
		]),
		runtime: {
			...{ clock, random, env: {}, home: "/" },
			stdout: () => {},
			stderr: () => {},
			terminal: { isTTY: false, columns: undefined },
			stdin: () => Promise.resolve(""),
			stop: stop.signal,
			createLog: () => Promise.resolve(log),
		},
		node: "node-1",
		client,
		lease: { client, namespace: "fairlead-system", instance: "test" },
		registry: new Registry(),
		log,
	}).then(
		(code) => code,
		(error: unknown) => error,
	);
	return { clock, stop, log, ended };
}

describe("fairlead agent --rules audit --once, of an API server that cannot be reached", () => {
	it("gives up after half a minute, and says what it could not read and why", async () => {
		const { clock, ended } = auditOnce();
		await clock.advance(30_000);
		expect(await ended).toMatchObject({
			code: "KubeUnreachable",
			message: expect.stringMatching(
				/^the cluster could not be read in 30 s: .*services: connect ECONNREFUSED 192\.0\.2\.1:6443/,
			) as unknown,
		});
	});

	it("ends with 1 as soon as it is asked to stop", async () => {
		const { clock, stop, log, ended } = auditOnce();
		await clock.advance(1_000);
		stop.abort(new Error("SIGTERM"));
		expect(await ended).toBe(1);
		expect(log.lines.at(-1)?.message).toBe(
			"asked to stop before the audit had looked twice",
		);
	});
});
