import { createInterface } from "node:readline";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { LeaseElector } from "../../operator/cluster/lease.ts";
import { isFairleadError } from "../../operator/errors.ts";
import { quietLog } from "./quiet-log.ts";

// A process that competes for a Lease. Says `started` and `stopped` on stdout; told `write` on stdin, it writes its
// identity if it leads and says `wrote`, or says `refused`; told `release`, it gives up and ends.
const [path = "", identity = ""] = process.argv.slice(2);
const say = (line: string) => process.stdout.write(`${line}\n`);
const log = quietLog();
const client = createKubeClient(
	await loadConnection({ path, clock: systemClock, log }),
	{ clock: systemClock, log, userAgent: `contender-${identity}` },
);
const elector = new LeaseElector({
	client,
	namespace: "default",
	name: "contest",
	identity,
	leaseDurationMs: 3000,
	renewDeadlineMs: 2000,
	retryPeriodMs: 300,
	clock: systemClock,
	random: Math.random,
	log,
	onStartedLeading: () => say("started"),
	onStoppedLeading: () => say("stopped"),
});
const configMaps = {
	group: "",
	version: "v1",
	plural: "configmaps",
	kind: "ConfigMap",
	namespaced: true,
};

async function write(): Promise<void> {
	try {
		elector.assertLeading();
	} catch (error) {
		if (!isFairleadError(error, "NotLeading")) throw error;
		return void say("refused");
	}
	await client.patch(
		configMaps,
		{ namespace: "default", name: "contest" },
		{ type: "merge", body: { data: { writer: identity } } },
	);
	say("wrote");
}

elector.start();
for await (const line of createInterface({ input: process.stdin })) {
	if (line === "write") await write();
	if (line === "release") {
		await elector.release();
		client.close();
		break;
	}
}
process.exit();
