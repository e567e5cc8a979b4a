import type { Node } from "../../api/core.ts";
import { balancerTargets } from "./targets.ts";

// The cases about nodes of the upstream service controller's own tests (k8s.io/cloud-provider 0.37, controllers/service,
// controller_test.go), each held against ours. Where ours differs, the row says so and docs/reference/services.md why.

const exclude = "node.kubernetes.io/exclude-from-external-load-balancers";
const doomed = {
	key: "ToBeDeletedByClusterAutoscaler",
	effect: "NoSchedule",
};
const ready = (status: string) => ({
	status: { conditions: [{ type: "Ready", status }] },
});
type NodeChange = Partial<Node> & {
	labels?: Record<string, string>;
	gone?: true;
};
const node = ({ labels, gone, ...rest }: NodeChange = {}): Node => ({
	...rest,
	metadata: {
		name: "node0",
		...(labels ? { labels } : {}),
		...(gone ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
	},
});

describe("upstream's Test_shouldSyncUpdatedNode and TestNodeChangesForStableNodeSetEnabled: what of a node concerns balancers", () => {
	it.each<[string, NodeChange, NodeChange, boolean]>([
		["nothing, when nothing changed", {}, {}, false],
		["that it is excluded", {}, { labels: { [exclude]: "" } }, true],
		["that it is no longer excluded", { labels: { [exclude]: "" } }, {}, true],
		[
			"not that it is excluded by another word",
			{ labels: { [exclude]: "" } },
			{ labels: { [exclude]: "true" } },
			false,
		],
		[
			"not another taint",
			{},
			{ spec: { taints: [{ key: "other", effect: "NoSchedule" }] } },
			false,
		],
		["not another label", {}, { labels: { other: "yes" } }, false],
		["not that it is not ready", ready("True"), ready("False"), false],
		["not that it is ready", ready("False"), ready("True"), false],
		["that it has a providerID", {}, { spec: { providerID: "a://1" } }, true],
		[
			"that it has another providerID",
			{ spec: { providerID: "a://1" } },
			{ spec: { providerID: "a://2" } },
			true,
		],
		["that it is lost", { spec: { providerID: "a://1" } }, {}, true],
		[
			"not that it is ready, while it is excluded",
			{ ...ready("False"), labels: { [exclude]: "" } },
			{ ...ready("True"), labels: { [exclude]: "" } },
			false,
		],
		[
			"differently from upstream, at once that it is being deleted, not only once it is gone",
			{},
			{ gone: true },
			true,
		],
		[
			"differently from upstream, at once that the autoscaler will delete it",
			{},
			{ spec: { taints: [doomed] } },
			true,
		],
		[
			"differently from upstream, another InternalIP: targets without a providerID are addresses",
			{},
			{ status: { addresses: [{ type: "InternalIP", address: "10.0.0.9" }] } },
			true,
		],
		[
			"differently from upstream, not a providerID while it is excluded: it is no target before and after",
			{ labels: { [exclude]: "" } },
			{ labels: { [exclude]: "" }, spec: { providerID: "a://1" } },
			false,
		],
	])("%s", (_row, before, after, expected) => {
		expect(
			JSON.stringify(balancerTargets([node(before)])) !==
				JSON.stringify(balancerTargets([node(after)])),
		).toBe(expected);
	});
});
