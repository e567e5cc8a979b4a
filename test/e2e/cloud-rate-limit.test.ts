import type { DesiredBalancer } from "../../operator/model/balancer/balancer.ts";
import { balancerIdentity } from "../../operator/model/balancer/identity.ts";
import { systemClock } from "../../operator/clock.ts";
import {
	ProviderCalls,
	type Want,
} from "../../operator/controller/provider-calls.ts";
import { createHetznerCloud } from "../../operator/providers/hetzner-cloud/provider.ts";
import { closeClouds, testCloud } from "../support/fake-cloud.ts";
import { quietLog } from "../support/quiet-log.ts";
import { tcp } from "../support/provider-conformance.ts";

afterEach(closeClouds);

const desired = (uid: string): DesiredBalancer => ({
	identity: balancerIdentity("c1", uid),
	service: { namespace: "shop", name: uid },
	families: ["IPv4"],
	addresses: [],
	listeners: [tcp(80, 30080)],
	targets: [],
	sourceRanges: [],
});

it("a cloud that allows few calls serves every Service all the same, in turn, and nobody hears of a failure", async () => {
	const count = 60;
	const cloud = await testCloud({
		rateLimit: { limit: 200, perSecond: 50 },
		doorPort: false,
	});
	// Somebody else with a token of the project has used it up.
	while ((await cloud.ask("GET", "/locations")).status === 200);
	const log = quietLog();
	const failed: string[] = [];
	const provider = createHetznerCloud({
		endpoint: `${cloud.url}/v1`,
		token: async () => "token",
		location: "fsn1",
		clusterId: "c1",
		clock: systemClock,
		random: Math.random,
		log,
	});
	const wants = new Map<string, Want>(
		Array.from({ length: count }, (_, at) => [
			`shop/s${at}`,
			{
				do: "ensure",
				className: "cloud",
				config: "",
				desired: desired(`s${at}`),
			},
		]),
	);
	const served: string[] = [];
	await new Promise<void>((resolve, reject) => {
		const sync = (key: string): void => {
			const want = wants.get(key) as Want;
			const outcome = calls.outcome(key, want);
			if (outcome.kind === "Unknown") {
				calls.start(key, want).then(() => {
					// What came at once wakes nobody.
					if (calls.outcome(key, want).kind !== "InFlight") sync(key);
				}, reject);
				return;
			}
			if (outcome.kind === "Failed" && !outcome.delayed)
				reject(new Error(`${key}: ${outcome.message}`));
			if (outcome.kind !== "Observed" || outcome.balancer.pending) return;
			if (!served.includes(key)) served.push(key);
			if (served.length === count) resolve();
		};
		const calls = new ProviderCalls({
			clock: systemClock,
			random: Math.random,
			log,
			provider: async () => provider,
			wake: sync,
			failed: (code) => failed.push(code),
		});
		for (const key of wants.keys()) sync(key);
	});
	await provider.close();
	const { balancers } = cloud.state();
	expect(balancers).toHaveLength(count);
	expect(failed).toEqual([]);
	expect(
		log.lines.filter(({ level }) => level === "warn" || level === "error"),
	).toEqual([]);
	expect(new Set(served).size).toBe(count);
}, 30_000);
