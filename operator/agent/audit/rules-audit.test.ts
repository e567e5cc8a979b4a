import { sleep } from "../../clock.ts";
import { AgentWorld } from "../../../test/support/agent-world.ts";
import { serviceOf, sliceOf } from "../../../test/support/rules-world.ts";
import type {
	FoundFrontend,
	KubeProxyRules,
} from "../../model/rules/audit/kube-proxy-rules.ts";
import { defaultNodeSettings } from "../../model/rules/rules-node.ts";
import type { AgentIncident } from "../rules/incidents.ts";
import { auditTimes, RulesAudit } from "./rules-audit.ts";

const { everyMs, confirmMs } = auditTimes;

async function audited(tookMs = 0) {
	const world = new AgentWorld();
	const told: AgentIncident[] = [];
	const rules: KubeProxyRules = {
		families: new Set(["IPv4"]),
		frontends: new Map(),
		broken: [],
	};
	const state = { readable: true, looks: 0 };
	const audit = new RulesAudit({
		node: "node-1",
		stores: world.stores,
		settings: defaultNodeSettings,
		read: async () => {
			state.looks++;
			if (tookMs > 0) await sleep(world.clock, tookMs);
			if (!state.readable) throw new Error("there are no rules");
			return rules;
		},
		clock: world.clock,
		log: world.log,
		tell: (incident) => told.push(incident),
	});
	audit.start();
	world.put(serviceOf());
	world.put(sliceOf(["10.244.1.2@node-1"]));
	await world.listed();
	const served = () => {
		const endpoints = new Set(["10.244.1.2 8080"]);
		rules.frontends.set("10.96.0.10|TCP|80", {
			service: "default/web",
			endpoints,
			internalEndpoints: endpoints,
			affinity: false,
		});
	};
	return { world, told, rules, state, audit, served };
}

describe("an audit of kube-proxy's rules", () => {
	it("says nothing of what kube-proxy has written when it is looked at again", async () => {
		const { world, told, audit, served } = await audited();
		served();
		await world.clock.advance(confirmMs);
		expect(told).toEqual([]);
		expect(audit.findings.size).toBe(0);
		expect(audit.trouble).toBeUndefined();
		audit.stop();
	});

	it("tells once what stays wrong, and takes it back when it is over", async () => {
		const { world, told, audit, served } = await audited();
		await world.clock.advance(confirmMs);
		await world.clock.advance(everyMs);
		expect(told).toEqual([
			{
				reason: "KubeProxyRulesDiffer",
				service: "default/web",
				note: "kube-proxy's rules: ClusterIP 10.96.0.10 TCP 80 is missing",
			},
		]);
		expect([...audit.findings.keys()]).toEqual(["default/web"]);
		served();
		await world.clock.advance(everyMs);
		expect(audit.findings.size).toBe(0);
		audit.stop();
	});

	it("says nothing of a Service that is another way wrong each time", async () => {
		const { world, told, audit, rules, served } = await audited();
		served();
		const [key, right] = [...rules.frontends][0] as [string, FoundFrontend];
		for (const last of [1, 2, 3, 4]) {
			const endpoints = new Set([`10.244.9.${last} 8080`]);
			rules.frontends.set(key, { ...right, endpoints });
			await world.clock.advance(confirmMs);
			expect(audit.findings.size).toBe(0);
		}
		expect(told).toEqual([]);
		audit.stop();
	});

	it("looks a tenth of the time at most, however much changes and whatever it finds", async () => {
		const tookMs = 8_000;
		const { world, audit, state } = await audited(tookMs);
		const minutes = 60;
		for (let second = 0; second < minutes * 60; second++) {
			world.put(sliceOf([`10.244.1.${(second % 200) + 2}@node-1`]));
			await world.clock.advance(1_000);
		}
		const most = Math.ceil((minutes * 60_000) / (tookMs * 10)) + 1;
		expect(state.looks).toBeLessThanOrEqual(most);
		expect(state.looks).toBeGreaterThan(most / 2);
		audit.stop();
	});

	it("tells of the node what concerns all Services", async () => {
		const { world, told, audit, served, rules } = await audited();
		served();
		rules.broken.push("IPv4: nothing at hook output leads to chain services");
		await world.clock.advance(everyMs);
		await world.clock.advance(confirmMs);
		expect(told).toEqual([
			{
				reason: "KubeProxyRulesDiffer",
				note: "kube-proxy's rules: IPv4: nothing at hook output leads to chain services",
			},
		]);
		audit.stop();
	});

	it("is not ready where there are no rules to read, and is when there are", async () => {
		const { world, audit, state, served } = await audited();
		served();
		state.readable = false;
		await world.clock.advance(everyMs);
		expect(audit.trouble).toBe("audit: there are no rules");
		state.readable = true;
		await world.clock.advance(everyMs);
		expect(audit.trouble).toBeUndefined();
		audit.stop();
	});
});
