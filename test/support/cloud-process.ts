// A fake cloud in a process of its own, for tests that kill it: `node cloud-process.ts DATA_DIR`. Prints its URL.
import { startFakeCloud } from "../../fake-cloud/server.ts";
import { systemClock } from "../../operator/clock.ts";
import { quietLog } from "./quiet-log.ts";

const cloud = await startFakeCloud({
	dataDir: process.argv[2] as string,
	tokens: [{ token: "token" }],
	clock: systemClock,
	random: Math.random,
	log: quietLog(),
	actionMs: 30,
});
process.stdout.write(`${cloud.url}\n`);
