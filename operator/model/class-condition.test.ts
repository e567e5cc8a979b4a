import type { BalancerClass } from "../api/fairlead.ts";
import { type ClassFacts, classCondition } from "./class-condition.ts";

const cloud = (
	spec: Partial<BalancerClass["spec"]> = {},
	deleting = false,
): BalancerClass => ({
	metadata: {
		name: "cloud",
		...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
	},
	spec: { provider: "HetznerCloud", ...spec },
});
const facts = (change: Partial<ClassFacts> = {}): ClassFacts => ({
	defaults: [],
	holders: { count: 0 },
	...change,
});
const trouble = {
	code: "CloudTokenMissing",
	message: "Secret a/b does not exist",
};

describe("condition Ready of a BalancerClass", () => {
	it.each<[string, BalancerClass, ClassFacts, string, RegExp]>([
		[
			"is True when nothing is known against it",
			cloud(),
			facts(),
			"True/Ready",
			/Services may use it$/,
		],
		[
			"says that it is the default",
			cloud({ default: true }),
			facts({ defaults: ["cloud"] }),
			"True/Ready",
			/without loadBalancerClass/,
		],
		[
			"passes on what its provider says",
			cloud(),
			facts({ trouble }),
			"False/CloudTokenMissing",
			/Secret a\/b/,
		],
		[
			"names the other default classes",
			cloud({ default: true }),
			facts({ defaults: ["cloud", "lab"] }),
			"False/AmbiguousDefaultClass",
			/cloud and lab/,
		],
		[
			"leaves two others' quarrel about the default to them",
			cloud(),
			facts({ defaults: ["lab", "metal"] }),
			"True/Ready",
			/may use it/,
		],
		[
			"says that this version lacks its provider",
			cloud({ provider: "Layer9" as "Layer2" }),
			facts(),
			"False/ProviderUnavailable",
			/Layer9/,
		],
		[
			"names the one Service that a deletion waits for",
			cloud({}, true),
			facts({ holders: { count: 1, one: "shop/web" } }),
			"False/ClassDeleting",
			/Service shop\/web holds/,
		],
		[
			"counts the Services that a deletion waits for",
			cloud({}, true),
			facts({ holders: { count: 3, one: "shop/web" }, trouble }),
			"False/ClassDeleting",
			/3 Services hold something through it, for instance shop\/web/,
		],
	])("%s", (_row, subject, known, expected, message) => {
		const said = classCondition(subject, known);
		expect(said.type).toBe("Ready");
		expect(`${said.status}/${said.reason}`).toBe(expected);
		expect(said.message).toMatch(message);
	});
});
