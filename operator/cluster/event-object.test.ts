import fc from "fast-check";
import { cutUtf8, eventObject } from "./event-object.ts";
import { resources } from "./kube.ts";

const reporter = { controller: "fairlead.dev/controller", instance: "pod-1" };
const facts = {
	type: "Normal",
	reason: "EnsuredLoadBalancer",
	action: "Provision",
	note: "done",
} as const;
const at = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

test("an event says what happened to which object, and who says so", () => {
	const web = {
		metadata: {
			name: "web",
			namespace: "shop",
			uid: "u1",
			resourceVersion: "7",
			labels: { a: "b" },
		},
	};
	expect(
		eventObject(resources.services, web, facts, reporter, at, "18af01"),
	).toEqual({
		metadata: { name: "web.18af01", namespace: "shop" },
		eventTime: "2026-01-02T03:04:05.006000Z",
		reportingController: "fairlead.dev/controller",
		reportingInstance: "pod-1",
		...facts,
		regarding: {
			apiVersion: "v1",
			kind: "Service",
			name: "web",
			namespace: "shop",
			uid: "u1",
			resourceVersion: "7",
		},
	});
});

test("an event about a cluster-scoped object lives in the namespace default", () => {
	const event = eventObject(
		resources.balancerClasses,
		{ metadata: { name: "fast" } },
		facts,
		reporter,
		at,
		"1",
	);
	expect(event.metadata.namespace).toBe("default");
	expect(event.regarding).toEqual({
		apiVersion: "fairlead.dev/v1alpha1",
		kind: "BalancerClass",
		name: "fast",
	});
});

test("names and instances of any length give an event the API server takes", () => {
	const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$/);
	const subdomain = fc
		.array(label, { minLength: 1, maxLength: 9 })
		.map((labels) => labels.join("."))
		.filter((name) => name.length <= 253);
	fc.assert(
		fc.property(subdomain, fc.string({ maxLength: 300 }), (name, instance) => {
			const event = eventObject(
				resources.nodes,
				{ metadata: { name } },
				facts,
				{ ...reporter, instance },
				at,
				"18af0123456789abcdef",
			);
			expect(event.metadata.name.length).toBeLessThanOrEqual(253);
			expect(event.metadata.name).toMatch(
				/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
			);
			expect(event.reportingInstance.length).toBeLessThanOrEqual(128);
		}),
	);
});

test("a note is cut to bytes at a character's edge", () => {
	fc.assert(
		fc.property(
			fc.string({ unit: "binary" }),
			fc.integer({ min: 4, max: 60 }),
			(text, limit) => {
				const cut = cutUtf8(text, limit);
				expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit);
				expect(cut).not.toContain(
					"\ufffd".repeat(text.includes("\ufffd") ? 99 : 1),
				);
				if (Buffer.byteLength(text) <= limit) expect(cut).toBe(text);
				else expect(text.startsWith(cut.slice(0, -1))).toBe(true);
			},
		),
	);
	expect(cutUtf8("🦄🦄🦄", 9)).toBe("🦄…");
});
