import type { Service } from "../api/core.ts";
import type { BalancerClass } from "../api/fairlead.ts";
import { annotations, finalizers } from "../api/names.ts";
import { finalizerOf, holdingOf } from "./holding.ts";
import { resolveOwnership } from "./ownership.ts";

const service = (
	spec: Partial<Service["spec"]> = {},
	metadata: Partial<Service["metadata"]> = {},
): Service => ({
	metadata: { name: "web", namespace: "shop", uid: "u1", ...metadata },
	spec: { type: "LoadBalancer", ...spec },
});
const balancerClass = (
	name: string,
	isDefault = false,
	deleting = false,
): BalancerClass => ({
	metadata: {
		name,
		...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
	},
	spec: { provider: "Static", default: isDefault },
});
const held = (by: string) => ({
	annotations: { [annotations.provisionedBy]: `${by}/Static` },
});

describe("who serves a Service", () => {
	it.each<[string, Service, BalancerClass[], string]>([
		[
			"a ClusterIP Service is nobody's",
			service({ type: "ClusterIP" }),
			[balancerClass("a", true)],
			"NotOurs: its type is ClusterIP",
		],
		[
			"a class-less Service goes to the default class",
			service(),
			[balancerClass("a"), balancerClass("b", true)],
			"Ours: b",
		],
		[
			"a class-less Service is left alone without a default class",
			service(),
			[balancerClass("a")],
			"NotOurs: it names no loadBalancerClass and no BalancerClass is default",
		],
		[
			"a named class is matched exactly",
			service({ loadBalancerClass: "fairlead.dev/a" }),
			[balancerClass("a"), balancerClass("b", true)],
			"Ours: a",
		],
		[
			"another controller's class is left alone, even with a default class",
			service({ loadBalancerClass: "metallb.io/pool" }),
			[balancerClass("a", true)],
			"NotOurs: loadBalancerClass metallb.io/pool belongs to another controller",
		],
		[
			"a class of ours that does not exist is said",
			service({ loadBalancerClass: "fairlead.dev/typo" }),
			[balancerClass("a", true)],
			"Refused: UnknownClass",
		],
		[
			"two default classes are said on a new Service",
			service(),
			[balancerClass("b", true), balancerClass("a", true)],
			"Refused: AmbiguousDefaultClass",
		],
		[
			"two default classes leave a served Service where it is",
			service({}, held("b")),
			[balancerClass("b", true), balancerClass("a", true)],
			"Ours: b",
		],
		[
			"a class whose provider this version lacks holds nothing, so that nothing can get stuck",
			service({ loadBalancerClass: "fairlead.dev/a" }),
			[{ ...balancerClass("a"), spec: { provider: "Layer2" } }],
			"Refused: ProviderUnavailable",
		],
		[
			"a class that is being deleted takes nobody new",
			service({ loadBalancerClass: "fairlead.dev/a" }),
			[balancerClass("a", false, true)],
			"Refused: ClassDeleting",
		],
		[
			"a class that is being deleted keeps whom it serves",
			service({ loadBalancerClass: "fairlead.dev/a" }, held("a")),
			[balancerClass("a", false, true)],
			"Ours: a",
		],
	])("%s", (_row, subject, classes, expected) => {
		const result = resolveOwnership(subject, classes);
		const text =
			result.kind === "Ours"
				? `Ours: ${result.class.metadata.name}`
				: result.kind === "NotOurs"
					? `NotOurs: ${result.because}`
					: `Refused: ${result.reason}`;
		expect(text).toBe(expected);
	});

	it("guards class-less Services by the shared finalizer and classed ones by our own", () => {
		expect(finalizerOf(service())).toBe(finalizers.classless);
		expect(finalizerOf(service({ loadBalancerClass: "fairlead.dev/a" }))).toBe(
			finalizers.classed,
		);
	});

	it.each(["", "cloud", "cloud/", "/Static", "a/b/c"])(
		"takes no holder from the unreadable record %j",
		(value) => {
			expect(
				holdingOf(
					service({}, { annotations: { [annotations.provisionedBy]: value } }),
				),
			).toBeUndefined();
		},
	);
});
