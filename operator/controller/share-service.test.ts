import type { Service } from "../api/core.ts";
import { shareService } from "./share-service.ts";
import { SharedValues } from "./shared-values.ts";

describe("SharedValues", () => {
	it("gives equal values one copy, and others their own", () => {
		const shared = new SharedValues();
		const first = shared.json([{ port: 80 }]);
		expect(shared.json([{ port: 80 }])).toBe(first);
		expect(shared.json([{ port: 81 }])).toEqual([{ port: 81 }]);
	});

	it("tells a text from JSON that reads alike", () => {
		const shared = new SharedValues();
		shared.json([1]);
		expect(shared.text("[1]")).toBe("[1]");
		expect(shared.json([1])).toEqual([1]);
	});

	it("remembers no more than its limit", () => {
		const shared = new SharedValues(2);
		const first = shared.json([1]);
		shared.json([2]);
		shared.json([3]);
		expect(shared.json([1])).not.toBe(first);
	});
});

describe("shareService", () => {
	const service = (name: string): Service => ({
		metadata: { name, namespace: "shop", uid: name, labels: { app: "web" } },
		spec: {
			type: "LoadBalancer",
			clusterIP: "10.96.0.1",
			ports: [{ port: 80 }],
			ipFamilies: ["IPv4"],
			selector: { app: name },
		},
		status: {
			loadBalancer: { ingress: [{ ip: "203.0.113.1" }] },
			conditions: [
				{
					type: "fairlead.dev/Serving",
					status: "True",
					reason: "Serving",
					message: "it does",
					lastTransitionTime: "2026-01-01T00:00:00Z",
				},
			],
		},
	});

	it("changes nothing of what a Service says", () => {
		const shared = new SharedValues();
		for (const name of ["a", "b"])
			expect(shareService(service(name), shared)).toEqual(service(name));
	});

	it("keeps one copy of ports, labels and conditions that are alike", () => {
		const shared = new SharedValues();
		const [a, b] = ["a", "b"].map((name) =>
			shareService(service(name), shared),
		);
		expect(a?.spec.ports).toBe(b?.spec.ports);
		expect(a?.metadata.labels).toBe(b?.metadata.labels);
		expect(a?.status?.conditions?.[0]).toBe(b?.status?.conditions?.[0]);
	});
});
