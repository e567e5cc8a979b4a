import fc from "fast-check";
import type { EndpointSlice, Pod, Service } from "../../operator/api/core.ts";
import { node, pod, service } from "./test-samples.ts";
import { planSlices } from "./slice-plan.ts";

const known = new Set(["node-1", "node-2"]);
const nodeOf = (name: string) =>
	known.has(name)
		? node(
				name,
				{},
				{ labels: { "topology.kubernetes.io/zone": `zone-${name}` } },
			)
		: undefined;

const placed = (
	name: string,
	number: number,
	more: Parameters<typeof pod>[1] = {},
) => pod(name, { node: "node-1", ip: `10.244.0.${number}`, ready: 1, ...more });

/** Slices as they are once a plan has been carried out. */
function carriedOut(
	given: Service,
	pods: readonly Pod[],
	present: readonly EndpointSlice[] = [],
): EndpointSlice[] {
	const plan = planSlices(given, pods, present, nodeOf);
	let count = 0;
	const named = plan.create.map((slice) => ({
		...slice,
		metadata: { ...slice.metadata, name: `made-${present.length}-${count++}` },
	}));
	return [
		...present
			.filter((slice) => !plan.remove.includes(slice))
			.map(
				(slice) =>
					plan.update.find((each) => each.slice === slice)?.next ?? slice,
			),
		...named,
	];
}

const touched = (given: Service, pods: Pod[], present: EndpointSlice[]) => {
	const { create, update, remove } = planSlices(given, pods, present, nodeOf);
	return {
		create: create.length,
		update: update.length,
		remove: remove.length,
	};
};
const untouched = { create: 0, update: 0, remove: 0 };

test("a slice says whose it is", () => {
	const [slice] = carriedOut(service({ clusterIP: "None" }, { team: "a" }), []);
	expect(slice?.metadata).toMatchObject({
		generateName: "web-",
		namespace: "shop",
		labels: {
			team: "a",
			"kubernetes.io/service-name": "web",
			"endpointslice.kubernetes.io/managed-by":
				"endpointslice-controller.k8s.io",
			"service.kubernetes.io/headless": "",
		},
		ownerReferences: [
			{ kind: "Service", uid: "uid-of-service", controller: true },
		],
	});
});

test.each([
	["ready", placed("p", 1), true, true, false],
	[
		"not ready",
		pod("p", { node: "node-1", ip: "10.244.0.1" }),
		false,
		false,
		false,
	],
	["leaving", placed("p", 1, { leaving: true }), false, true, true],
])(
	"an endpoint's conditions are those of its pod: %s",
	(_, given, ready, serving, terminating) => {
		const [slice] = carriedOut(service(), [given]);
		expect(slice?.endpoints).toMatchObject([
			{
				conditions: { ready, serving, terminating },
				nodeName: "node-1",
				zone: "zone-node-1",
			},
		]);
	},
);

test("an unchanged world is left alone, whatever the order of things", () => {
	const pods = [placed("a", 1), placed("b", 2)];
	const slices = carriedOut(service(), pods);
	expect(touched(service(), pods.toReversed(), slices)).toEqual(untouched);
	const empty = carriedOut(service(), []);
	expect(touched(service(), [], empty)).toEqual(untouched);
});

test("250 endpoints are in three slices, and one that goes changes one of them", () => {
	const pods = Array.from({ length: 250 }, (_, index) =>
		placed(`p-${index}`, index + 1),
	);
	const slices = carriedOut(service(), pods);
	expect(slices.map(({ endpoints }) => endpoints?.length)).toEqual([
		100, 100, 50,
	]);
	expect(touched(service(), pods.slice(1), slices)).toEqual({
		...untouched,
		update: 1,
	});
});

test("a new endpoint goes where there is just enough room", () => {
	const pods = Array.from({ length: 101 }, (_, index) =>
		placed(`p-${index}`, index + 1),
	);
	const slices = carriedOut(service(), pods);
	const after = carriedOut(service(), [...pods, placed("new", 200)], slices);
	expect(after.map(({ endpoints }) => endpoints?.length)).toEqual([100, 2]);
});

test("the placeholder becomes the slice of the first endpoint, and the last slice the placeholder", () => {
	const empty = carriedOut(service(), []);
	const [first, ...others] = carriedOut(service(), [placed("a", 1)], empty);
	expect(others).toEqual([]);
	expect(first?.metadata.name).toBe(empty[0]?.metadata.name);
	const [last, ...more] = carriedOut(service(), [], [first as EndpointSlice]);
	expect(more).toEqual([]);
	expect(last).toMatchObject({ endpoints: [], ports: [] });
	expect(last?.metadata.name).toBe(first?.metadata.name);
});

test("a pod on a node nobody knows is left out and its node named, unless not-ready addresses are published", () => {
	const stray = placed("p", 1, { node: "node-9" });
	const plan = planSlices(service(), [stray], [], nodeOf);
	expect(plan.missingNodes).toEqual(["node-9"]);
	expect(plan.create).toMatchObject([{ endpoints: [] }]);
	const open = service({ publishNotReadyAddresses: true });
	expect(planSlices(open, [stray], [], nodeOf).create).toMatchObject([
		{ endpoints: [{ nodeName: "node-9" }] },
	]);
});

test("a slice of a former Service of the same name is not reused", () => {
	const [slice] = carriedOut(service(), [placed("a", 1)]) as [EndpointSlice];
	const reborn = service();
	reborn.metadata.uid = "another";
	expect(touched(reborn, [placed("a", 1)], [slice])).toEqual({
		create: 1,
		update: 0,
		remove: 1,
	});
});

test.each([
	["PreferClose", { forZones: [{ name: "zone-node-1" }] }],
	[
		"PreferSameNode",
		{ forZones: [{ name: "zone-node-1" }], forNodes: [{ name: "node-1" }] },
	],
])(
	"trafficDistribution %s puts hints on ready endpoints, and takes them off again",
	(trafficDistribution, hints) => {
		const near = service({ trafficDistribution });
		const pods = [placed("a", 1)];
		const slices = carriedOut(near, pods);
		expect(slices[0]?.endpoints).toMatchObject([{ hints }]);
		expect(touched(near, pods, slices)).toEqual(untouched);
		const [after] = carriedOut(service(), pods, slices);
		expect(after?.endpoints?.[0]).not.toHaveProperty("hints");
	},
);

const world = fc.array(
	fc.record({
		number: fc.integer({ min: 1, max: 8 }),
		ready: fc.boolean(),
		port: fc.constantFrom(8080, 8081),
		phase: fc.constantFrom("Running" as const, "Failed" as const),
	}),
	{ maxLength: 8 },
);

test("after any changes the slices hold exactly the pods, each once and with its ports, and no further change is wanted", () => {
	const named = service({
		ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
	});
	fc.assert(
		fc.property(fc.array(world, { minLength: 1, maxLength: 5 }), (worlds) => {
			let slices: EndpointSlice[] = [];
			for (const facts of worlds) {
				const pods = [
					...new Map(facts.map((each) => [each.number, each])).values(),
				].map(({ number, ready, port, phase }) =>
					pod(`p-${number}`, {
						node: "node-1",
						ip: `10.244.0.${number}`,
						phase,
						ports: [{ name: "http", containerPort: port }],
						...(ready ? { ready: 1 } : {}),
					}),
				);
				slices = carriedOut(named, pods, slices);
				const found = slices.flatMap(({ endpoints = [], ports = [] }) =>
					endpoints.map(
						({ targetRef, conditions }) =>
							`${targetRef?.name} ${ports[0]?.port} ${conditions?.ready}`,
					),
				);
				const wanted = pods
					.filter(({ status }) => status?.phase === "Running")
					.map(
						(each) =>
							`${each.metadata.name} ${each.spec.containers[0]?.ports?.[0]?.containerPort} ${each.status?.conditions !== undefined}`,
					);
				expect(found.toSorted()).toEqual(wanted.toSorted());
				expect(slices.length).toBeGreaterThan(0);
				expect(touched(named, pods, slices)).toEqual(untouched);
			}
		}),
	);
});
