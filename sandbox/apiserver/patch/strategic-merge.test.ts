import fc from "fast-check";
import type { JsonObject } from "../schema/decode.ts";
import { structType } from "../schema/types.ts";
import { strategicMerge } from "./strategic-merge.ts";

// Rules of strategic merge patches, on Services and Pods
// (https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch).

const service = structType("Service");
const pod = structType("Pod");
const named = (...names: string[]) =>
	names.map((name) => ({ name, image: `${name}:1` }));

test.each<[string, JsonObject, JsonObject, JsonObject]>([
	[
		"a field that is not named stays",
		{ spec: { type: "NodePort" } },
		{ spec: { clusterIP: "None" } },
		{ spec: { type: "NodePort", clusterIP: "None" } },
	],
	[
		"null takes a field away",
		{ spec: { type: "NodePort" } },
		{ spec: { type: null } },
		{ spec: {} },
	],
	[
		"maps are merged by key",
		{ metadata: { labels: { a: "1", b: "2" } } },
		{ metadata: { labels: { b: null, c: "3" } } },
		{ metadata: { labels: { a: "1", c: "3" } } },
	],
	[
		"a list without a merge key is replaced",
		{ spec: { externalIPs: ["a", "b"] } },
		{ spec: { externalIPs: ["c"] } },
		{ spec: { externalIPs: ["c"] } },
	],
	[
		"$patch: replace takes the map as it is",
		{ spec: { type: "NodePort", clusterIP: "x" } },
		{ spec: { $patch: "replace", type: "ClusterIP" } },
		{ spec: { type: "ClusterIP" } },
	],
	[
		"$patch: delete empties a map",
		{ spec: { type: "NodePort" } },
		{ spec: { $patch: "delete" } },
		{ spec: {} },
	],
	[
		"$retainKeys keeps only what it names",
		{ spec: { type: "NodePort", clusterIP: "x" } },
		{ spec: { $retainKeys: ["type"], type: "NodePort" } },
		{ spec: { type: "NodePort" } },
	],
	[
		"a list of names grows by what is new",
		{ metadata: { finalizers: ["a"] } },
		{ metadata: { finalizers: ["a", "b"] } },
		{ metadata: { finalizers: ["a", "b"] } },
	],
	[
		"and shrinks by directive",
		{ metadata: { finalizers: ["a", "b"] } },
		{ metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } },
		{ metadata: { finalizers: ["b"] } },
	],
])("of a Service: %s", (_, document, patch, expected) => {
	expect(strategicMerge(service, document, patch)).toEqual(expected);
});

test.each<[string, object[], object[], object[]]>([
	[
		"an item with a known key is merged",
		named("a", "b"),
		[{ name: "b", image: "b:2" }],
		[
			{ name: "a", image: "a:1" },
			{ name: "b", image: "b:2" },
		],
	],
	[
		"an item with a new key is added, before those the patch does not name",
		named("a"),
		named("b"),
		named("b", "a"),
	],
	[
		"$patch: delete takes the item of that key",
		named("a", "b"),
		[{ name: "a", $patch: "delete" }],
		named("b"),
	],
	[
		"deleting what is not there changes nothing",
		named("a"),
		[{ name: "z", $patch: "delete" }],
		named("a"),
	],
	[
		"$patch: replace takes the list as it is",
		named("a", "b"),
		[{ $patch: "replace" }, { name: "c" }],
		[{ name: "c" }],
	],
	[
		"$patch: replace in an item replaces the list by the other items",
		[{ name: "a", image: "a:1", tty: true }],
		[{ name: "a", $patch: "replace", image: "a:2" }],
		[],
	],
	[
		"lists in items are merged by their own keys",
		[{ name: "a", env: [{ name: "A", value: "1" }] }],
		[{ name: "a", env: [{ name: "B", value: "2" }] }],
		[
			{
				name: "a",
				env: [
					{ name: "B", value: "2" },
					{ name: "A", value: "1" },
				],
			},
		],
	],
])("of a Pod's containers: %s", (_, before, patch, after) => {
	expect(
		strategicMerge(
			pod,
			{ spec: { containers: before } } as JsonObject,
			{ spec: { containers: patch } } as JsonObject,
		),
	).toEqual({ spec: { containers: after } });
});

test("$setElementOrder orders merged items", () => {
	expect(
		strategicMerge(
			pod,
			{ spec: { containers: named("a", "b") } },
			{
				spec: {
					"$setElementOrder/containers": [
						{ name: "c" },
						{ name: "b" },
						{ name: "a" },
					],
					containers: named("c"),
				},
			},
		),
	).toEqual({ spec: { containers: named("c", "b", "a") } });
});

test.each<[string, JsonObject, string]>([
	[
		"an unknown directive",
		{ spec: { $patch: "shuffle" } },
		"unknown patch type: shuffle in map",
	],
	[
		"an item without its merge key",
		{ spec: { containers: [{ image: "x" }] } },
		"does not contain declared merge key: name",
	],
])("%s is refused", (_, patch, why) => {
	expect(() =>
		strategicMerge(pod, { spec: { containers: named("a") } }, patch),
	).toThrow(why);
});

const container = fc.record({
	name: fc.constantFrom("a", "b", "c", "d"),
	image: fc.constantFrom("x", "y"),
});
const containers = fc.uniqueArray(container, { selector: ({ name }) => name });

test("a patch that was applied changes nothing when applied again, and neither argument is changed", () => {
	fc.assert(
		fc.property(containers, containers, (before, patch) => {
			const document = { spec: { containers: before } };
			const change = { spec: { containers: patch } };
			const copies = structuredClone([document, change]);
			const once = strategicMerge(pod, document, change);
			expect([document, change]).toEqual(copies);
			expect(strategicMerge(pod, once, change)).toEqual(once);
		}),
	);
});

test("merging keeps every item of either side, each once", () => {
	fc.assert(
		fc.property(containers, containers, (before, patch) => {
			const { spec } = strategicMerge(
				pod,
				{ spec: { containers: before } },
				{ spec: { containers: patch } },
			) as { spec: { containers: { name: string; image: string }[] } };
			const wanted = new Map<string, string>(
				[...before, ...patch].map(({ name, image }) => [name, image]),
			);
			expect(spec.containers).toHaveLength(wanted.size);
			for (const { name, image } of spec.containers)
				expect(image).toBe(wanted.get(name));
		}),
	);
});
