import {
	addFinalizer,
	annotate,
	combine,
	guard,
	removeConditions,
	removeFinalizer,
	setConditions,
	setIngress,
} from "./patches.ts";

const condition = (type: string) => ({
	type,
	status: "True" as const,
	reason: "Yes",
	message: "",
	lastTransitionTime: "2026-01-01T00:00:00Z",
});

test("one body guards the object and changes finalizers, annotations, conditions and ingress", () => {
	const body = combine(
		guard({ metadata: { name: "web", uid: "u1", resourceVersion: "7" } }),
		addFinalizer("a/new"),
		removeFinalizer("a/old"),
		annotate({ one: "1" }),
		annotate({ two: null }),
		setConditions([condition("fairlead.dev/Provisioned")]),
		removeConditions(["fairlead.dev/Serving"]),
		setIngress([{ ip: "192.0.2.1", ipMode: "VIP" }]),
	);
	expect(body).toEqual({
		metadata: {
			uid: "u1",
			resourceVersion: "7",
			finalizers: ["a/new"],
			"$deleteFromPrimitiveList/finalizers": ["a/old"],
			annotations: { one: "1", two: null },
		},
		status: {
			conditions: [
				condition("fairlead.dev/Provisioned"),
				{ type: "fairlead.dev/Serving", $patch: "delete" },
			],
			loadBalancer: { ingress: [{ ip: "192.0.2.1", ipMode: "VIP" }] },
		},
	});
});

test("lists of several pieces follow each other, the ingress list is the last one's", () => {
	const body = combine(
		addFinalizer("a"),
		addFinalizer("b"),
		setConditions([condition("x")]),
		setConditions([condition("y")]),
		setIngress([{ ip: "192.0.2.1" }]),
		setIngress([{ ip: "192.0.2.2" }]),
	);
	expect(body).toEqual({
		metadata: { finalizers: ["a", "b"] },
		status: {
			conditions: [condition("x"), condition("y")],
			loadBalancer: { ingress: [{ ip: "192.0.2.2" }] },
		},
	});
});

test("no ingress removes the field", () => {
	expect(combine(setIngress([{ ip: "192.0.2.1" }]), setIngress([]))).toEqual({
		status: { loadBalancer: { ingress: null } },
	});
});

test("combining leaves the pieces as they were", () => {
	const piece = addFinalizer("a");
	combine(piece, addFinalizer("b"), annotate({ c: "d" }));
	expect(piece).toEqual({ metadata: { finalizers: ["a"] } });
});

test("an object that was never stored is guarded by nothing", () => {
	expect(guard({ metadata: { name: "web" } })).toEqual({ metadata: {} });
});
