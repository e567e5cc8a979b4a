import fc from "fast-check";
import type { NodePortFacts } from "../agent-report.ts";
import {
	describeConflict,
	type NodeFacts,
	nodeConflicts,
} from "./conflicts.ts";
import { defaultNodePortRange } from "./port-range.ts";

const on = (node: string, ports: NodePortFacts): NodeFacts => ({ node, ports });
const found = (facts: NodeFacts[], healthChecks: number[] = []) =>
	nodeConflicts(facts, defaultNodePortRange, (port) =>
		healthChecks.includes(port),
	).map(describeConflict);
const listening = (port: number, process?: string) => ({
	listening: [
		{ port, protocol: "TCP" as const, ...(process ? { process } : {}) },
	],
});

test.each<[string, NodeFacts[], string[]]>([
	["a node with nothing", [on("a", {})], []],
	["a node that does not report", [{ node: "a" }], []],
	[
		"a hostPort",
		[on("a", { hostPorts: [{ port: 30053, protocol: "UDP", pod: "x/dns" }] })],
		["pod x/dns on node a has 30053/UDP as hostPort"],
	],
	[
		"a process",
		[on("a", listening(30080, "sshd"))],
		["process sshd on node a listens on 30080/TCP"],
	],
	[
		"a process nobody may name",
		[on("a", listening(30080))],
		["a process on node a listens on 30080/TCP"],
	],
	[
		"the same process on four nodes",
		["d", "b", "a", "c"].map((node) => on(node, listening(30080, "sshd"))),
		["process sshd on 4 nodes (a, b, c and 1 more) listens on 30080/TCP"],
	],
	[
		"a pod in the node's own network, listening",
		[
			on("a", {
				...listening(30080, "envoy"),
				hostPorts: [{ port: 30080, protocol: "TCP", pod: "x/envoy" }],
			}),
		],
		["pod x/envoy on node a has 30080/TCP as hostPort"],
	],
	["a port outside the range", [on("a", listening(22, "sshd"))], []],
	["the usual ephemeral range", [on("a", { ephemeral: [32_768, 60_999] })], []],
	[
		"an ephemeral range that holds NodePorts",
		[on("a", { ephemeral: [1_024, 65_535] })],
		[
			"ports 30000-32767 are in net.ipv4.ip_local_port_range 1024-65535 and not in ip_local_reserved_ports on node a: the kernel gives them to outgoing connections",
		],
	],
	[
		"the same with all NodePorts reserved",
		[on("a", { ephemeral: [1_024, 65_535], reserved: [[30_000, 32_767]] })],
		[],
	],
	[
		"the same with some of them reserved",
		[on("a", { ephemeral: [1_024, 65_535], reserved: [[30_000, 32_000]] })],
		[
			"ports 32001-32767 are in net.ipv4.ip_local_port_range 1024-65535 and not in ip_local_reserved_ports on node a: the kernel gives them to outgoing connections",
		],
	],
])("%s gives %j", (_what, facts, expected) => {
	expect(found(facts)).toEqual(expected);
});

test("the port of a Service's own health check is no conflict", () => {
	expect(found([on("a", listening(30080, "kube-proxy"))], [30080])).toEqual([]);
});

test("a report that somebody edited breaks nothing", () => {
	fc.assert(
		fc.property(
			fc.record({
				ephemeral: fc.anything(),
				reserved: fc.anything(),
				listening: fc.oneof(fc.anything(), fc.array(fc.anything())),
				hostPorts: fc.oneof(fc.anything(), fc.array(fc.anything())),
			}),
			(ports) => {
				expect(() => found([on("a", ports as NodePortFacts)])).not.toThrow();
			},
		),
	);
});

test("the order in which nodes report changes nothing", () => {
	const port = fc.constantFrom(30_000, 30_001, 30_002);
	const facts = fc.record({
		listening: fc.array(
			fc.record({ port, protocol: fc.constantFrom("TCP" as const, "UDP") }),
		),
		ephemeral: fc.constantFrom<[number, number]>([1, 30_001], [32_768, 60_999]),
	});
	fc.assert(
		fc.property(fc.array(facts, { maxLength: 5 }), (all) => {
			const nodes = all.map((ports, at) =>
				on(`node-${at}`, ports as NodePortFacts),
			);
			expect(found([...nodes].reverse())).toEqual(found(nodes));
		}),
	);
});
