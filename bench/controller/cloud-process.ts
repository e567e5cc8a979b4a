// The fake cloud as a process of its own, for `bench/controller/cloud.ts`: prints its URL. Its rate limit is a counter: a
// bucket nobody empties, to which nothing comes back.
import { startFakeCloud } from "../../fake-cloud/server.ts";
import { systemClock } from "../../operator/clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";

const cloud = await startFakeCloud({
	dataDir: ":memory:",
	tokens: [{ token: "token" }],
	addressRanges: { ipv4: "10.200.0.0/16" },
	rateLimit: { limit: 1_000_000, perSecond: 1e-9 },
	doorPort: false,
	// The nodes are addresses nobody has: to ask after them every three seconds would measure that.
	healthCheckSpeed: 0.001,
	clock: systemClock,
	random: Math.random,
	log: quietLog(),
});
process.stdout.write(`${cloud.url}\n`);
