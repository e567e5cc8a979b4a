import type { Pod, PodStatus } from "../../operator/api/core.ts";
import { statusPatch } from "./status-patch.ts";

const status: PodStatus = {
	phase: "Running",
	podIP: "10.244.1.2",
	conditions: [{ type: "Ready", status: "True", lastProbeTime: null }],
	containerStatuses: [
		{
			name: "main",
			ready: true,
			restartCount: 0,
			image: "busybox",
			imageID: "",
			state: { running: { startedAt: "2026-01-01T12:00:00Z" } },
		},
	],
};
const podWith = (known?: PodStatus): Pod => ({
	metadata: { name: "web" },
	spec: { containers: [] },
	...(known && { status: known }),
});

it("holds everything for a pod without a status", () => {
	expect(statusPatch(podWith(), status)).toEqual(status);
});

it("holds what differs and nothing else", () => {
	const known: PodStatus = {
		...status,
		phase: "Pending",
		qosClass: "BestEffort",
	};
	expect(statusPatch(podWith(known), status)).toEqual({ phase: "Running" });
});

it("is not made where the API server has the same, in whatever order it keeps its fields", () => {
	const reversed = Object.fromEntries(Object.entries(status).reverse());
	const conditions = [{ status: "True" as const, type: "Ready" }];
	expect(
		statusPatch(podWith({ ...reversed, conditions }), status),
	).toBeUndefined();
});

it("holds a list whole when one of its entries differs", () => {
	const conditions = [
		{ type: "Other", status: "True" as const },
		{ type: "Ready", status: "False" as const },
	];
	expect(statusPatch(podWith({ ...status, conditions }), status)).toEqual({
		conditions: status.conditions,
	});
});
