import type { EndpointSlice, Node, Service } from "../api/core.ts";
import {
	hasReadyEndpoint,
	serviceOf,
	trimLabels,
	trimNode,
	trimService,
	trimSlice,
} from "./trim.ts";

const metadata = {
	name: "x",
	namespace: "shop",
	uid: "u",
	resourceVersion: "7",
	deletionTimestamp: "2026-01-01T00:00:00Z",
	labels: { "kubernetes.io/service-name": "web", other: "label" },
	annotations: {
		mine: "yes",
		"kubectl.kubernetes.io/last-applied-configuration": "{}",
	},
	managedFields: [{}],
};
const slice = (...ready: (boolean | undefined)[]): EndpointSlice => ({
	metadata,
	addressType: "IPv4",
	endpoints: ready.map((each) => ({
		addresses: ["10.0.0.1"],
		conditions: each === undefined ? {} : { ready: each },
	})),
	ports: [{ port: 80 }],
});
const node: Node = {
	metadata,
	spec: { providerID: "hcloud://1", taints: [{ key: "a", effect: "b" }] },
	status: { addresses: [{ type: "InternalIP", address: "10.0.0.1" }] },
};
const service: Service = {
	metadata,
	spec: { type: "LoadBalancer" },
	status: { conditions: [] },
};

describe("trimming", () => {
	it("twice is trimming once, for every kind: lists and events may trim both", () => {
		for (const each of [slice(true), slice(false), slice()])
			expect(trimSlice(trimSlice(each))).toEqual(trimSlice(each));
		expect(trimNode(trimNode(node))).toEqual(trimNode(node));
		expect(trimService(trimService(service))).toEqual(trimService(service));
		expect(trimLabels(trimLabels(node))).toEqual(trimLabels(node));
	});

	it.each<[string, EndpointSlice, boolean]>([
		["an endpoint that says it is ready is ready", slice(false, true), true],
		["an endpoint that says nothing is ready", slice(undefined), true],
		["no endpoint is ready when all say they are not", slice(false), false],
		["no endpoint is ready in an empty slice", slice(), false],
	])("keeps what is asked of a slice: %s", (_row, subject, ready) => {
		expect(hasReadyEndpoint(trimSlice(subject))).toBe(ready);
		expect(serviceOf(trimSlice(subject))).toBe("shop/web");
	});

	it("keeps a Service's own annotations and drops what only kubectl reads", () => {
		expect(trimService(service).metadata.annotations).toEqual({ mine: "yes" });
		expect(Object.keys(service.metadata.annotations ?? {})).toHaveLength(2);
	});

	it("keeps of who wrote which field only that NodePorts were applied", () => {
		const by = (manager: string) =>
			trimService({
				...service,
				metadata: {
					...service.metadata,
					managedFields: [{ manager, fieldsV1: { "f:spec": {} } }],
				} as Service["metadata"],
			}).metadata;
		expect(by("fairlead-node-ports")).toMatchObject({
			managedFields: [{ manager: "fairlead-node-ports", operation: "Apply" }],
		});
		expect(by("kubectl")).not.toHaveProperty("managedFields");
	});
});
