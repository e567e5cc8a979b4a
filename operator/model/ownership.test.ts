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

	const theirs = (adopt?: string, assigned?: string): Service => ({
		...service(
			{},
			{
				finalizers: [finalizers.classless],
				annotations: {
					...(adopt === undefined ? {} : { [annotations.adopt]: adopt }),
					...(assigned === undefined ? {} : held(assigned).annotations),
				},
			},
		),
		status: { loadBalancer: { ingress: [{ ip: "198.51.100.9" }] } },
	});
	const own = balancerClass("own", true);
	const cloud: BalancerClass = {
		...balancerClass("cloud", true),
		spec: { provider: "HetznerCloud", default: true },
	};

	it.each<[string, Service, BalancerClass[], string | RegExp]>([
		[
			"is left to it",
			theirs(),
			[own],
			/annotate .* with fairlead.dev\/adopt=no$/,
		],
		[
			"is left to it, and may be had with its balancer by a cloud's class",
			theirs(),
			[cloud],
			/with fairlead.dev\/adopt=no, or with fairlead.dev\/adopt=hcloud-ccm to keep that controller's balancer$/,
		],
		["is ours when handed over", theirs("no"), [own], "own"],
		["is a cloud's when handed over", theirs("no"), [cloud], "cloud"],
		[
			"is a cloud's when handed over with its balancer",
			theirs("hcloud-ccm"),
			[cloud],
			"cloud",
		],
		[
			"is not handed over with its balancer to a class that can take none",
			theirs("hcloud-ccm"),
			[own],
			/annotation fairlead.dev\/adopt says hcloud-ccm, but provider Static cannot take over a balancer/,
		],
		[
			"is not handed over by a word that means nothing",
			theirs("yes"),
			[cloud],
			/annotation fairlead.dev\/adopt says "yes", which means nothing/,
		],
		["is not handed over by saying nothing", theirs(" "), [own], /adopt=no$/],
		[
			"stays ours, once it is, whatever is said later",
			theirs("yes", "own"),
			[own],
			"own",
		],
	])(
		"a class-less Service that another controller serves %s",
		(_row, subject, classes, expected) => {
			const result = resolveOwnership(subject, classes);
			if (typeof expected === "string")
				expect(result).toMatchObject({
					kind: "Ours",
					class: { metadata: { name: expected } },
				});
			else
				expect(result).toEqual({
					kind: "Refused",
					reason: "ClaimedByAnother",
					message: expect.stringMatching(expected),
				});
		},
	);

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
