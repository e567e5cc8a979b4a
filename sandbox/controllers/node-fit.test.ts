import { chooseNode, misfit } from "./node-fit.ts";
import { node, pod } from "./test-samples.ts";

const taint = { key: "team", value: "a", effect: "NoSchedule" };
const tainted = node("n", { taints: [taint] });
const untolerated = "node(s) had untolerated taint(s)";

test.each([
	["a ready node takes a plain pod", node("n"), {}, undefined],
	[
		"a cordoned one does not",
		node("n", { unschedulable: true }),
		{},
		"node(s) were unschedulable",
	],
	[
		"but one that tolerates it, as daemons do",
		node("n", { unschedulable: true }),
		{
			tolerations: [
				{ key: "node.kubernetes.io/unschedulable", operator: "Exists" },
			],
		},
		undefined,
	],
	[
		"one that is not ready does not",
		node("n", {}, { ready: "False" }),
		{},
		untolerated,
	],
	[
		"nor one nobody hears of",
		node("n", {}, { ready: "Unknown" }),
		{},
		untolerated,
	],
	[
		"unless the pod tolerates exactly that",
		node("n", {}, { ready: "False" }),
		{
			tolerations: [
				{ key: "node.kubernetes.io/not-ready", operator: "Exists" },
			],
		},
		undefined,
	],
	["a taint keeps it away", tainted, {}, untolerated],
	[
		"the same key and value tolerate the taint",
		tainted,
		{ tolerations: [{ key: "team", value: "a" }] },
		undefined,
	],
	[
		"another value does not",
		tainted,
		{ tolerations: [{ key: "team", value: "b" }] },
		untolerated,
	],
	[
		"another effect does not",
		tainted,
		{ tolerations: [{ key: "team", operator: "Exists", effect: "NoExecute" }] },
		untolerated,
	],
	[
		"a toleration of everything does",
		tainted,
		{ tolerations: [{ operator: "Exists" }] },
		undefined,
	],
	[
		"a preference is no reason",
		node("n", { taints: [{ ...taint, effect: "PreferNoSchedule" }] }),
		{},
		undefined,
	],
	[
		"a selector wants its labels",
		node("n", {}, { labels: { disk: "hdd" } }),
		{ nodeSelector: { disk: "ssd" } },
		"node(s) didn't match Pod's node affinity/selector",
	],
	[
		"and takes the node that has them",
		node("n", {}, { labels: { disk: "ssd" } }),
		{ nodeSelector: { disk: "ssd" } },
		undefined,
	],
	["a full node takes none", node("n", {}, { pods: 0 }), {}, "Too many pods"],
] as const)("%s", (_, candidate, spec, expected) => {
	const asking = pod("p", { spec: spec as object });
	expect(misfit(asking, { node: candidate, pods: [] })).toBe(expected);
});

test.each([
	["the same port", {}, {}, true],
	["the same number of another protocol", { protocol: "UDP" }, {}, false],
	["another address", { hostIP: "10.0.0.1" }, { hostIP: "10.0.0.2" }, false],
	["one address of all", { hostIP: "10.0.0.1" }, { hostIP: "0.0.0.0" }, true],
] as const)("a host port is in the way of %s", (_, mine, theirs, clash) => {
	const withPort = (name: string, more: object) =>
		pod(name, {
			spec: {
				containers: [
					{ name: "c", ports: [{ containerPort: 1, hostPort: 80, ...more }] },
				],
			},
		});
	expect(
		misfit(withPort("mine", mine), {
			node: node("n"),
			pods: [withPort("theirs", theirs)],
		}),
	).toBe(
		clash
			? "node(s) didn't have free ports for the requested pod ports"
			: undefined,
	);
});

test.each([
	[
		"the node with the fewest pods",
		{ "node-1": 2, "node-2": 1, "node-3": 3 },
		0,
		"node-2",
	],
	[
		"of equals the one with the fewest siblings",
		{ "node-1": 1, "node-2": 1 },
		1,
		"node-2",
	],
	["of those the first by number", { "node-10": 0, "node-9": 0 }, 0, "node-9"],
])("a pod gets %s", (_, counts, siblingsOnFirst, expected) => {
	const candidates = Object.entries(counts).map(([name, count], index) => ({
		node: node(name),
		pods: Array.from({ length: count }, (_each, number) =>
			pod(
				`${name}-${number}`,
				index === 0 && number < siblingsOnFirst ? { owner: "set" } : {},
			),
		),
	}));
	const choice = chooseNode(pod("new", { owner: "set" }), candidates);
	expect("node" in choice && choice.node.metadata.name).toBe(expected);
});

test("pods that have ended take no room", () => {
	const ended = Array.from({ length: 3 }, (_, index) =>
		pod(`done-${index}`, { phase: "Succeeded" }),
	);
	const choice = chooseNode(pod("new"), [
		{ node: node("node-1", {}, { pods: 1 }), pods: ended },
		{ node: node("node-2"), pods: [pod("runs")] },
	]);
	expect("node" in choice && choice.node.metadata.name).toBe("node-1");
});

test("why no node will do is told by number of nodes, in the scheduler's words", () => {
	const candidates = [
		{ node: node("a", { unschedulable: true }), pods: [] },
		{ node: node("b", { unschedulable: true }), pods: [] },
		{ node: tainted, pods: [] },
	];
	expect(chooseNode(pod("new"), candidates)).toEqual({
		problem:
			"0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) were unschedulable. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
	});
	expect(chooseNode(pod("new"), [])).toEqual({
		problem: "no nodes available to schedule pods",
	});
});
