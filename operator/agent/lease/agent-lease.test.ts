import { FakeClock } from "../../../test/support/fake-clock.ts";
import { LeaseServer } from "../../../test/support/lease-server.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import { agentAnnotations, agentLease } from "../../api/names.ts";
import type { AgentReport } from "../../model/agent-report.ts";
import { AgentLease } from "./agent-lease.ts";

function setUp() {
	const clock = new FakeClock();
	const server = new LeaseServer(clock);
	const node = { uid: "node-uid" as string | undefined };
	const agents: AgentLease[] = [];
	const agent = (instance: string, random = () => 0.5) => {
		const said: AgentReport = { node: "node-1", rules: "full" };
		const lease = new AgentLease({
			client: server,
			namespace: "fairlead-system",
			node: "node-1",
			instance,
			nodeUid: async () => node.uid,
			report: () => said,
			clock,
			random,
			log: quietLog(),
		});
		agents.push(lease);
		return { lease, said };
	};
	const reached = () => server.report()?.reached?.services;
	return { clock, server, node, agent, reached };
}

const at = (services: number) => ({
	services: String(services),
	endpointSlices: "1",
});

describe("an agent's Lease", () => {
	it("is named after the node, labelled, held by the node, and goes with it", async () => {
		const { clock, server, agent } = setUp();
		agent("a").lease.start();
		await clock.advance(1_000);
		expect(server.lease).toMatchObject({
			metadata: {
				namespace: "fairlead-system",
				name: "fairlead-agent-node-1",
				labels: { [agentLease.label]: agentLease.labelValue },
				annotations: { [agentAnnotations.instance]: "a" },
				ownerReferences: [
					{ apiVersion: "v1", kind: "Node", name: "node-1", uid: "node-uid" },
				],
			},
			spec: {
				holderIdentity: "node-1",
				leaseDurationSeconds: 40,
				renewTime: "2026-01-01T00:00:01.000000Z",
			},
		});
	});

	it("is renewed every 10 s, without the report if that is the same", async () => {
		const { clock, server, agent } = setUp();
		agent("a").lease.start();
		await clock.advance(31_000);
		expect(server.writes.map(({ at: ms }) => ms)).toEqual([
			1_000, 11_000, 21_000, 31_000,
		]);
		expect(server.writes.map(({ annotations }) => annotations)).toEqual([
			2, 0, 0, 0,
		]);
	});

	it("is written at once when there is something to report, and then once a second however much there is", async () => {
		const { clock, server, agent, reached } = setUp();
		const { lease, said } = agent("a");
		lease.start();
		await clock.advance(5_000);
		const before = server.writes.length;
		said.reached = at(1);
		lease.changed();
		await clock.advance(0);
		expect(reached()).toBe("1");
		for (let each = 2; each <= 3_000; each++) {
			said.reached = at(each);
			lease.changed();
			await clock.advance(1);
		}
		expect(server.writes.length - before).toBe(3);
		await clock.advance(1_000);
		expect(reached()).toBe("3000");
		expect(server.writes.length - before).toBe(4);
	});

	it("carries what came while a write was on its way in the next one", async () => {
		const { clock, server, agent, reached } = setUp();
		const { lease, said } = agent("a");
		lease.start();
		await clock.advance(1_000);
		server.delayMs = 300;
		said.reached = at(1);
		lease.changed();
		await clock.advance(1_000);
		said.reached = at(2);
		lease.changed();
		await clock.advance(200);
		said.reached = at(3);
		lease.changed();
		await clock.advance(100);
		expect(reached()).toBe("1");
		await clock.advance(700);
		expect(reached()).toBe("3");
	});

	it("is kept again as soon as the API server is back, however long that was away", async () => {
		const { clock, server, agent, reached } = setUp();
		const { lease, said } = agent("a", () => 1);
		lease.start();
		await clock.advance(1_000);
		expect(lease.trouble).toBeUndefined();
		server.away = true;
		await clock.advance(3_600_000);
		expect(lease.trouble).toBe("the agent's Lease: connection refused");
		said.reached = at(7);
		lease.changed();
		server.away = false;
		await clock.advance(10_000);
		expect(reached()).toBe("7");
		expect(lease.trouble).toBeUndefined();
	});

	it("is made anew when somebody deletes it, and belongs to a Node that was made anew", async () => {
		const { clock, server, node, agent } = setUp();
		agent("a").lease.start();
		await clock.advance(1_000);
		server.remove();
		await clock.advance(11_000);
		expect(server.lease).toBeDefined();
		node.uid = "other-uid";
		await clock.advance(10_000);
		expect(server.lease?.metadata.ownerReferences).toMatchObject([
			{ uid: "other-uid" },
		]);
	});

	it("waits for its Node, and is there as soon as that is", async () => {
		const { clock, server, node, agent } = setUp();
		node.uid = undefined;
		const { lease } = agent("a");
		lease.start();
		await clock.advance(60_000);
		expect(server.lease).toBeUndefined();
		expect(lease.trouble).toBe("the agent's Lease: there is no Node node-1");
		node.uid = "node-uid";
		lease.nodeIsThere();
		await clock.advance(0);
		expect(server.lease).toBeDefined();
	});

	it("keeps what others wrote on it", async () => {
		const { clock, server, agent, reached } = setUp();
		const { lease, said } = agent("a");
		lease.start();
		await clock.advance(1_000);
		server.edit((found) => {
			found.metadata.annotations = {
				...found.metadata.annotations,
				"example.com/note": "kept",
			};
		});
		said.reached = at(1);
		lease.changed();
		await clock.advance(2_000);
		expect(server.lease?.metadata.annotations?.["example.com/note"]).toBe(
			"kept",
		);
		expect(reached()).toBe("1");
	});

	it("is left to run out when the agent ends", async () => {
		const { clock, server, agent } = setUp();
		const { lease } = agent("a");
		lease.start();
		await clock.advance(1_000);
		lease.stop();
		lease.changed();
		await clock.advance(100_000);
		expect(server.lease?.spec?.holderIdentity).toBe("node-1");
		expect(server.writes).toHaveLength(1);
	});
});

describe("of two agents for one node", () => {
	it("the later one reports, and the earlier one says so and writes nothing", async () => {
		const { clock, server, agent } = setUp();
		const first = agent("first");
		first.lease.start();
		await clock.advance(5_000);
		const second = agent("second");
		second.lease.start();
		await clock.advance(300_000);
		expect(second.lease.trouble).toBeUndefined();
		expect(first.lease.trouble).toBe(
			"the agent's Lease: agent second started later with the same --node node-1 and reports in this one's place",
		);
		const since = server.writes.filter(({ at: ms }) => ms > 6_000);
		expect(new Set(since.map(({ instance }) => instance))).toEqual(
			new Set(["second"]),
		);
	});

	it("the earlier one takes over when the later one has been silent for 40 s", async () => {
		const { clock, server, agent } = setUp();
		const first = agent("first");
		first.lease.start();
		await clock.advance(5_000);
		const second = agent("second");
		second.lease.start();
		await clock.advance(20_000);
		second.lease.stop();
		await clock.advance(30_000);
		expect(server.lease?.metadata.annotations).toMatchObject({
			[agentAnnotations.instance]: "second",
		});
		await clock.advance(10_000);
		expect(server.lease?.metadata.annotations).toMatchObject({
			[agentAnnotations.instance]: "first",
		});
		expect(first.lease.trouble).toBeUndefined();
	});

	it("one that is started in another's place during an upgrade takes over at once", async () => {
		const { clock, server, agent } = setUp();
		const old = agent("old");
		old.lease.start();
		await clock.advance(5_000);
		old.lease.stop();
		agent("new").lease.start();
		await clock.advance(1_000);
		expect(server.lease?.metadata.annotations).toMatchObject({
			[agentAnnotations.instance]: "new",
		});
	});
});
