import { excessOf, grantsOf, lackOf, type Use } from "./rbac.ts";

const use = (verb: string, resource: string, more: Partial<Use> = {}): Use => ({
	verb,
	resource,
	namespace: undefined,
	name: undefined,
	code: 200,
	uri: "/",
	user: "u",
	...more,
});
const role = (rule: object, namespace?: string) => ({
	kind: namespace ? "Role" : "ClusterRole",
	metadata: { name: "r", ...(namespace ? { namespace } : {}) },
	rules: [
		{ apiGroups: [""], resources: ["services"], verbs: ["get"], ...rule },
	],
});
const here = { namespace: "here", name: "one" };
const there = { namespace: "there", name: "one" };

describe("what roles grant, beside what was used", () => {
	it.each([
		[
			"used all over",
			role({}),
			[use("get", "/services", here), use("get", "/services", there)],
			[],
			[],
		],
		[
			"used for all namespaces at once",
			role({ verbs: ["list"] }),
			[use("list", "/services")],
			[],
			[],
		],
		[
			"never used",
			role({}),
			[],
			["ClusterRole r: get /services: never used"],
			[],
		],
		[
			"a verb too many",
			role({ verbs: ["get", "patch"] }, "here"),
			[use("get", "/services", here)],
			["Role r: patch /services: never used"],
			[],
		],
		[
			"used in one namespace only",
			role({}),
			[use("get", "/services", here)],
			["ClusterRole r: get /services: used in namespace here alone"],
			[],
		],
		[
			"a subresource instead of the resource",
			role({}, "here"),
			[use("get", "/services/status", here)],
			["Role r: get /services: never used"],
			["get /services/status in here (200)"],
		],
		[
			"a Role, used elsewhere",
			role({}, "here"),
			[use("get", "/services", here), use("get", "/services", there)],
			[],
			["get /services in there (200)"],
		],
		[
			"a name, used for another",
			role({ resourceNames: ["one", "two"] }, "here"),
			[use("get", "/services", here)],
			["Role r: get /services two: never used"],
			[],
		],
		[
			"forbidden",
			role({}, "here"),
			[
				use("get", "/services", here),
				use("get", "/services", { ...here, code: 403 }),
			],
			[],
			["get /services in here (403)"],
		],
	])("%s", (_what, object, uses, excess, lack) => {
		const grants = grantsOf([object]);
		expect(excessOf(grants, uses)).toEqual(excess);
		expect(lackOf(grants, uses)).toEqual(lack);
	});
});
