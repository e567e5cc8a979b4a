import fc from "fast-check";
import type { Lease, Node, Service } from "../api/core.ts";
import { agentAnnotations, annotations, conditions } from "../api/names.ts";
import { type AgentReport, formatReport, reportOf } from "./agent-report.ts";
import {
	agentOf,
	type Carrier,
	explainProgrammed,
	listed,
	mayShow,
	type Programming,
	programmingFor,
	programmingOf,
	takesTraffic,
	wasProgrammed,
} from "./agents.ts";
import { formatAssignment } from "./assignment.ts";
import { reflects, type Watermark } from "./watermark.ts";

const lease = (text: string | undefined, holder = "node-1"): Lease => ({
	metadata: {
		name: "fairlead-agent-node-1",
		...(text === undefined
			? {}
			: { annotations: { [agentAnnotations.report]: text } }),
	},
	spec: { holderIdentity: holder },
});

describe("an agent's report", () => {
	const version = fc.nat().map(String);
	const report: fc.Arbitrary<AgentReport> = fc.record(
		{
			node: fc.string({ minLength: 1 }),
			rules: fc.constantFrom("full", "balancers", "audit", "off"),
			reached: fc.record({ services: version, endpointSlices: version }),
			refused: fc.dictionary(fc.string(), fc.string(), { minKeys: 1 }),
			ports: fc.record({ ephemeral: fc.tuple(fc.nat(), fc.nat()) }),
		},
		{ requiredKeys: ["node", "rules"] },
	);

	it("is read as it was written, whatever it holds", () => {
		fc.assert(
			fc.property(report, (said) => {
				expect(reportOf(lease(formatReport(said)))).toEqual(said);
			}),
		);
	});

	it("is the same text however its parts came together", () => {
		const text = (refused: Record<string, string>) =>
			formatReport({ node: "node-1", rules: "full", refused });
		expect(text({ "a/x": "1", "b/y": "2" })).toBe(
			text({ "b/y": "2", "a/x": "1" }),
		);
	});

	it("is nothing where somebody made nonsense of it, and never throws", () => {
		fc.assert(
			fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
				const said = reportOf(lease(text));
				if (said) expect(typeof said.node).toBe("string");
			}),
		);
		expect(reportOf(lease(undefined))).toBeUndefined();
	});

	it("counts only for the node that holds the Lease", () => {
		const text = formatReport({ node: "node-1", rules: "full" });
		expect(agentOf(lease(text))?.node).toBe("node-1");
		expect(agentOf(lease(text, "node-2"))).toBeUndefined();
	});
});

describe("a node takes traffic of balancers", () => {
	const ready = [{ type: "Ready", status: "True" }];
	it.each<[string, boolean, Node | undefined]>([
		["when it is ready", true, node({ status: { conditions: ready } })],
		["not when it is gone", false, undefined],
		["not before it has said that it is ready", false, node({})],
		[
			"not when nobody knows whether it is",
			false,
			node({ status: { conditions: [{ type: "Ready", status: "Unknown" }] } }),
		],
		[
			"not when it is excluded",
			false,
			node({
				labels: {
					"node.kubernetes.io/exclude-from-external-load-balancers": "",
				},
				status: { conditions: ready },
			}),
		],
		[
			"not when it is going away",
			false,
			node({
				status: { conditions: ready },
				deletionTimestamp: "2026-01-01T00:00:00Z",
			}),
		],
	])("%s", (_when, takes, subject) => {
		expect(takesTraffic(subject)).toBe(takes);
	});

	function node({
		status,
		...metadata
	}: Pick<Node, "status"> & Partial<Node["metadata"]>): Node {
		return {
			metadata: { name: "node-1", ...metadata },
			...(status ? { status } : {}),
		};
	}
});

const at = (node: string, version?: number): Carrier => ({
	node,
	reached:
		version === undefined
			? undefined
			: { services: String(version), endpointSlices: String(version) },
});
const asked: Watermark = { services: "10", endpointSlices: "10" };

describe("what is said of a Service by the nodes that carry it", () => {
	const row = (
		carriers: Carrier[],
		more: { refused?: Record<string, string>; overdue?: boolean } = {},
	) =>
		programmingOf(
			asked,
			carriers,
			more.refused && new Map(Object.entries(more.refused)),
			more.overdue ?? false,
		);
	it.each<[string, Programming, string, "shown" | "hidden"]>([
		[
			"all have it",
			row([at("a", 10), at("b", 11)]),
			"True/Programmed: every ready node with a Fairlead agent has it in its rules",
			"shown",
		],
		[
			"one is behind and has time",
			row([at("a", 10), at("b", 9)]),
			"False/Programming: nodes are taking it into their rules",
			"hidden",
		],
		[
			"one has not begun and has time",
			row([at("a", 10), at("b")]),
			"False/Programming: nodes are taking it into their rules",
			"hidden",
		],
		[
			"one is behind and had its time",
			row([at("a", 10), at("b", 9)], { overdue: true }),
			"False/NodesLagging: not in the rules of node b after 10 s; look at the agents there",
			"shown",
		],
		[
			"all are behind and had their time",
			row([at("a", 1), at("b", 9)], { overdue: true }),
			"False/NodesLagging: not in the rules of nodes a, b after 10 s; look at the agents there",
			"hidden",
		],
		[
			"one refuses it",
			row([at("a", 10), at("b", 10)], { refused: { b: "no room" } }),
			"False/RefusedByNodes: node b refuses it: no room",
			"shown",
		],
		[
			"every node refuses it",
			row([at("a", 10)], { refused: { a: "no room" } }),
			"False/RefusedByNodes: node a refuses it: no room",
			"hidden",
		],
		[
			"one is behind for too long and the other refuses",
			row([at("a", 1), at("b", 10)], {
				overdue: true,
				refused: { b: "no room" },
			}),
			"False/NodesLagging: not in the rules of node a after 10 s; look at the agents there; node b refuses it: no room",
			"hidden",
		],
		[
			"a node that no longer matters refuses it",
			row([at("a", 10)], { refused: { gone: "no room" } }),
			"True/Programmed: every ready node with a Fairlead agent has it in its rules",
			"shown",
		],
		[
			"there are no agents",
			{ kind: "NoAgents" },
			"Unknown/NoAgents: no Fairlead agent runs on the nodes: kube-proxy, or what stands in for it, carries the address and does not report",
			"shown",
		],
		[
			"agents leave the rules alone",
			{ kind: "AgentsWithoutRules" },
			"Unknown/AgentsWithoutRules: Fairlead's agents leave the rules alone (--rules audit or off): kube-proxy, or what stands in for it, carries the address and does not report",
			"shown",
		],
		[
			"no node with an agent is ready",
			{ kind: "NoReadyNodes" },
			"Unknown/NoReadyNodes: no node with a live Fairlead agent is ready and takes traffic of balancers",
			"shown",
		],
		[
			"the record is not written yet",
			{ kind: "Unrecorded" },
			"False/Programming: nodes are taking it into their rules",
			"hidden",
		],
		[
			"there is no address",
			{ kind: "Unassigned" },
			"False/Unassigned: there is no address that nodes could program",
			"hidden",
		],
	])("%s", (_when, programming, line, shown) => {
		const { status, reason, message } = explainProgrammed(programming);
		expect(`${status}/${reason}: ${message}`).toBe(line);
		expect(mayShow(programming) ? "shown" : "hidden").toBe(shown);
	});

	it("names a handful of nodes and that there are more, whatever the cluster's size", () => {
		const many = Array.from({ length: 1_000 }, (_, each) =>
			at(`node-${String(each).padStart(4, "0")}`, each === 999 ? 10 : 1),
		);
		const { message } = explainProgrammed(row(many, { overdue: true }));
		expect(message).toBe(
			"not in the rules of nodes node-0000, node-0001, node-0002, node-0003, node-0004 and others after 10 s; look at the agents there",
		);
		expect(mayShow(row(many, { overdue: true }))).toBe(true);
	});

	it("agrees with asking every node, for any nodes", () => {
		const carrier = fc.record({
			version: fc.option(fc.nat(20), { nil: undefined }),
			refuses: fc.boolean(),
		});
		fc.assert(
			fc.property(
				fc.array(carrier, { maxLength: 12 }),
				fc.boolean(),
				(nodes, overdue) => {
					const carriers = nodes.map(({ version }, each) =>
						at(`node-${10 + each}`, version),
					);
					const refusals = new Map(
						nodes.flatMap(({ refuses }, each) =>
							refuses ? [[`node-${10 + each}`, "no room"]] : [],
						),
					);
					const said = programmingOf(
						asked,
						carriers,
						refusals.size > 0 ? refusals : undefined,
						overdue,
					);
					const late = carriers.filter(
						({ reached }) => !reflects(reached, asked),
					);
					const serve = carriers.some(
						({ node, reached }) =>
							reflects(reached, asked) && !refusals.has(node),
					);
					const named = overdue ? listed : 1;
					expect(said).toMatchObject({
						behind: late.slice(0, named).map(({ node }) => node),
						more: overdue && late.length > listed,
					});
					expect(mayShow(said)).toBe(serve && (late.length === 0 || overdue));
				},
			),
		);
	});

	it("that had programmed it is not asked again", () => {
		expect(
			mayShow(
				programmingOf(undefined, [at("a", 1), at("new")], undefined, false),
			),
		).toBe(true);
	});
});

describe("the record that nodes program from", () => {
	const service = (record?: string[]): Service => ({
		metadata: {
			name: "web",
			annotations: record
				? {
						[annotations.assigned]: formatAssignment({
							addresses: record,
							class: "lab",
							number: "1",
						}),
					}
				: {},
		},
		spec: { type: "LoadBalancer" },
	});
	const reported = programmingOf(asked, [at("a", 10)], undefined, false);
	it.each<[string, string | undefined, string[], Programming["kind"]]>([
		[
			"counts once it holds what is wanted",
			"192.0.2.1",
			["192.0.2.1"],
			"Reported",
		],
		["does not while there is none", undefined, ["192.0.2.1"], "Unrecorded"],
		[
			"does not while it holds another address",
			"192.0.2.2",
			["192.0.2.1"],
			"Unrecorded",
		],
		["does not where no address is to be had", "192.0.2.2", [], "Unassigned"],
	])("%s", (_what, record, wanted, kind) => {
		const subject = service(record === undefined ? undefined : [record]);
		expect(
			programmingFor({ service: subject, programming: reported }, wanted).kind,
		).toBe(kind);
	});

	it("matters to nobody where no agent programs", () => {
		expect(programmingFor({ service: service() }, ["192.0.2.1"]).kind).toBe(
			"NoAgents",
		);
	});
});

describe("that nodes had programmed a Service", () => {
	it.each([
		[true, "True", "Programmed"],
		[true, "False", "RefusedByNodes"],
		[false, "False", "Programming"],
		[false, "False", "NodesLagging"],
		[false, "Unknown", "NoAgents"],
	] as const)("is %s after %s/%s", (was, status, reason) => {
		const service: Service = {
			metadata: { name: "web" },
			spec: {},
			status: {
				conditions: [
					{
						type: conditions.programmed,
						status,
						reason,
						message: "",
						lastTransitionTime: "2026-01-01T00:00:00Z",
					},
				],
			},
		};
		expect(wasProgrammed(service)).toBe(was);
	});
});
