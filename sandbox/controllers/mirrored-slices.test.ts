import type { EndpointSlice } from "../../operator/api/core.ts";
import type { Endpoints, EndpointSubset } from "../objects.ts";
import { isMirrored, planMirror } from "./mirrored-slices.ts";
import { service } from "./test-samples.ts";

const source = (
	subsets: EndpointSubset[],
	meta: {
		labels?: Record<string, string>;
		annotations?: Record<string, string>;
	} = {},
): Endpoints => ({
	metadata: {
		name: "web",
		namespace: "shop",
		uid: "uid-of-endpoints",
		...meta,
	},
	subsets,
});

const ports = [{ name: "http", port: 80, protocol: "TCP" as const }];
const named = (slices: EndpointSlice[]) =>
	slices.map((slice, index) => ({
		...slice,
		metadata: { ...slice.metadata, name: `web-${index}` },
	}));
const { selector: _, ...withoutSelector } = service().spec;
const selectorless = { ...service(), spec: withoutSelector };

test.each([
	["a Service without a selector are", source([]), selectorless, true],
	["a Service that selects pods are not", source([]), service(), false],
	["no Service are not", source([]), undefined, false],
	[
		"one that says so itself are not",
		source([], {
			labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
		}),
		selectorless,
		false,
	],
	[
		"an election are not",
		source([], {
			annotations: { "control-plane.alpha.kubernetes.io/leader": "{}" },
		}),
		selectorless,
		false,
	],
])("Endpoints of %s mirrored", (_name, given, of, expected) => {
	expect(isMirrored(given, of)).toBe(expected);
});

test("every subset has a slice for each family it has addresses of", () => {
	const given = source(
		[
			{
				addresses: [
					{ ip: "192.0.2.1", hostname: "one" },
					{ ip: "2001:db8::1" },
				],
				notReadyAddresses: [{ ip: "192.0.2.2" }, { ip: "no address" }],
				ports,
			},
		],
		{ labels: { team: "a" }, annotations: { note: "b" } },
	);
	const { create } = planMirror(given, []);
	expect(create).toMatchObject([
		{
			metadata: {
				generateName: "web-",
				labels: {
					team: "a",
					"kubernetes.io/service-name": "web",
					"endpointslice.kubernetes.io/managed-by":
						"endpointslicemirroring-controller.k8s.io",
				},
				annotations: { note: "b" },
				ownerReferences: [{ kind: "Endpoints", uid: "uid-of-endpoints" }],
			},
			addressType: "IPv4",
			endpoints: [
				{
					addresses: ["192.0.2.1"],
					conditions: { ready: true },
					hostname: "one",
				},
				{ addresses: ["192.0.2.2"], conditions: { ready: false } },
			],
			ports,
		},
		{ addressType: "IPv6", endpoints: [{ addresses: ["2001:db8::1"] }] },
	]);
	expect(planMirror(given, named(create))).toEqual({
		create: [],
		update: [],
		remove: [],
	});
});

test("other ports change the slice that is there; what is no longer there is removed", () => {
	const before = source([{ addresses: [{ ip: "192.0.2.1" }], ports }]);
	const slices = named(planMirror(before, []).create);
	const moved = source([
		{
			addresses: [{ ip: "192.0.2.1" }],
			ports: [{ port: 81, protocol: "TCP" }],
		},
	]);
	const { create, update, remove } = planMirror(moved, slices);
	expect([create, remove]).toEqual([[], []]);
	expect(update).toMatchObject([
		{ next: { metadata: { name: "web-0" }, ports: [{ name: "", port: 81 }] } },
	]);
	expect(planMirror(source([]), slices).remove).toEqual(slices);
});

test("a thousand addresses of a subset are mirrored, the ready ones first", () => {
	const addresses = (net: number, count: number) =>
		Array.from({ length: count }, (_each, index) => ({
			ip: `10.${net}.${index >> 8}.${index & 255}`,
		}));
	const [slice] = planMirror(
		source([
			{
				addresses: addresses(1, 900),
				notReadyAddresses: addresses(2, 300),
				ports,
			},
		]),
		[],
	).create;
	expect(slice?.endpoints).toHaveLength(1_000);
	expect(
		slice?.endpoints?.filter(({ conditions }) => conditions?.ready),
	).toHaveLength(900);
});
