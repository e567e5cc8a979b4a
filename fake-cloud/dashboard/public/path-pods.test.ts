import fc from "fast-check";
import type { PathEndpoint, ServicePath } from "../services/service-path.ts";
import {
	balancer,
	health,
	listener,
	target,
} from "../../../test/support/live-samples.ts";
import { pathSentence, pathThrough } from "./path.js";
import { boxHeight, layOut } from "./path-layout.js";

const endpoint = (
	number: number,
	some: Partial<PathEndpoint> = {},
): PathEndpoint => ({
	pod: `hello-${number}`,
	node: `node-${number}`,
	address: `10.244.${number}.2`,
	port: 8080,
	state: "ready",
	...some,
});

const service = (
	endpoints: PathEndpoint[],
	some: Partial<ServicePath> = {},
): ServicePath => ({
	namespace: "default",
	name: "hello",
	type: "LoadBalancer",
	ingress: ["192.0.2.1"],
	externalIPs: [],
	clusterIPs: ["10.96.0.7"],
	externalName: null,
	externalTrafficPolicy: "Cluster",
	ports: [{ name: "", protocol: "TCP", port: 80, nodePort: 30080, endpoints }],
	...some,
});

const healthy = [health(80, "healthy")];
const nodes = (count: number) =>
	balancer(1, {
		addresses: ["192.0.2.1"],
		listeners: [listener(80)],
		targets: Array.from({ length: count }, (_, i) => target(i + 1, healthy)),
	});
const through = (of: ServicePath | null, count = 2) =>
	pathThrough(nodes(count), listener(80), of);

test("under policy Cluster every node leads to every pod", () => {
	const path = through(service([endpoint(1), endpoint(2)]));
	expect(path.pods?.map(({ from }) => from.length)).toEqual([2, 2]);
	expect(pathSentence(nodes(2), path)).toBe(
		"New connections to port 80 go to all 2 targets, in turn. Each node hands them to any of 2 ready pods.",
	);
});

test("under policy Local a node leads to its own pods only", () => {
	const path = through(
		service([endpoint(1), endpoint(2)], { externalTrafficPolicy: "Local" }),
	);
	const names = path.hops.map(({ key, name }) => [key, name]);
	expect(
		path.pods?.map(({ name, from }) => [
			name,
			from.map((key) => Object.fromEntries(names)[key] as string),
		]),
	).toEqual([
		["hello-1", ["node-1"]],
		["hello-2", ["node-2"]],
	]);
});

test("a pod that is not ready is drawn and carries nothing", () => {
	const path = through(
		service([endpoint(1, { state: "not ready" }), endpoint(2)]),
	);
	expect(path.pods?.map(({ word, carries }) => [word, carries])).toEqual([
		["not ready", false],
		["ready", true],
	]);
});

test("without a ready pod the sentence says that nodes refuse", () => {
	const path = through(service([endpoint(1, { state: "terminating" })]));
	expect(pathSentence(nodes(2), path)).toContain("nodes refuse");
});

test.each([
	["nobody knows the cluster", null],
	["the Service has no such NodePort", service([], { ports: [] })],
])("where %s the path ends at the nodes", (_, of) => {
	const path = through(of);
	expect(path.pods).toBeNull();
	expect(
		layOut(path, 900).boxes.map((box: { kind: string }) => box.kind),
	).not.toContain("pod");
});

test("at any width no box covers another, pods included", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 240, max: 2000 }),
			fc.nat(12),
			fc.nat(12),
			(width, targets, pods) => {
				const path = through(
					service(Array.from({ length: pods }, (_, i) => endpoint(i + 1))),
					targets,
				);
				const drawing = layOut(path, width);
				const { boxes, edges } = drawing;
				for (const [i, box] of boxes.entries()) {
					expect(box.x + box.width).toBeLessThanOrEqual(width + 0.01);
					expect(box.y + boxHeight).toBeLessThanOrEqual(drawing.height + 0.01);
					for (const other of boxes.slice(i + 1))
						expect(
							box.x < other.x + other.width &&
								other.x < box.x + box.width &&
								box.y < other.y + boxHeight &&
								other.y < box.y + boxHeight,
						).toBe(false);
				}
				const ids = [...boxes, ...edges].map(({ id }) => id);
				expect(new Set(edges.map(({ id }) => id)).size).toBe(edges.length);
				expect(ids).not.toContain("");
			},
		),
	);
});
