import { isFairleadError } from "../operator/errors.ts";
import { planDocuments } from "./plan-documents.ts";

const pool = (name: string) =>
	`apiVersion: fairlead.dev/v1alpha1\nkind: AddressPool\nmetadata: {name: ${name}}\nspec: {addresses: [192.0.2.0/24]}\n`;
const complaint = (text: string) => {
	try {
		planDocuments("f.yaml", text);
	} catch (error) {
		if (isFairleadError(error, "FlagInvalid")) return error.message;
		throw error;
	}
	return "";
};

describe("what is to be planned", () => {
	it("is every document in its order, Lists taken apart, empty ones left out", () => {
		const list = JSON.stringify({
			apiVersion: "v1",
			kind: "List",
			items: [
				{
					apiVersion: "fairlead.dev/v1alpha1",
					kind: "BalancerClass",
					metadata: { name: "fast" },
					spec: { provider: "Static" },
				},
			],
		});
		expect(
			planDocuments(
				"f",
				`${pool("b")}---\n---\n${list}\n---\n${pool("a")}`,
			).map(
				(edit) =>
					edit.do === "apply" && `${edit.kind} ${edit.object.metadata.name}`,
			),
		).toEqual(["AddressPool b", "BalancerClass fast", "AddressPool a"]);
	});

	it.each<[string, string, string]>([
		["nothing at all", "", "f.yaml: holds no AddressPool and no BalancerClass"],
		[
			"no YAML",
			"a: [",
			"document 1: Flow sequence in block collection must be",
		],
		[
			"a word",
			"hello",
			"document 1: kind is missing: must be AddressPool or BalancerClass",
		],
		[
			"another kind",
			"kind: Service",
			'document 1: kind: "Service": must be AddressPool or BalancerClass; leave other kinds out',
		],
		[
			"another version",
			pool("a").replace("v1alpha1", "v9"),
			'document 1: apiVersion: "fairlead.dev/v9": must be fairlead.dev/v1alpha1',
		],
		[
			"no name",
			pool("a").replace("name: a", "nme: a"),
			"document 1: metadata.name is missing: must be text",
		],
		[
			"no spec",
			pool("a").replace("spec:", "spek:"),
			"document 1: spec is missing: must be a mapping of fields",
		],
		[
			"an address that is no text",
			pool("a").replace("192.0.2.0/24", "1"),
			"document 1: spec.addresses[0]: 1: must be text; put it in quotes",
		],
		[
			"one address where a list belongs",
			pool("a").replace("[192.0.2.0/24]", "192.0.2.0/24"),
			'document 1: spec.addresses: "192.0.2.0/24": must be a list',
		],
		[
			"a second document that is wrong",
			`${pool("a")}---\n${pool("A_")}`,
			'document 2: metadata.name: "A_": must be a name of at most 253',
		],
		[
			"a misspelt field",
			pool("a").replace("[192.0.2.0/24]", "[192.0.2.0/24], clases: [x]"),
			'document 1: spec.clases: ["x"]: there is no such field; remove it, or write one of addresses, uses, classes,',
		],
		[
			"a misspelt use",
			pool("a").replace("[192.0.2.0/24]", "[192.0.2.0/24], uses: [Both]"),
			'document 1: spec.uses[0]: "Both": must be LoadBalancer or ExternalIP',
		],
		[
			"a priority in words",
			pool("a").replace("[192.0.2.0/24]", "[192.0.2.0/24], priority: high"),
			'document 1: spec.priority: "high": must be a number',
		],
		[
			"half a priority",
			pool("a").replace("[192.0.2.0/24]", "[192.0.2.0/24], priority: 1.5"),
			"document 1: spec.priority: 1.5: must be a whole number",
		],
		[
			"a selector that is a list",
			pool("a").replace(
				"[192.0.2.0/24]",
				"[192.0.2.0/24], namespaceSelector: {matchLabels: [a]}",
			),
			'document 1: spec.namespaceSelector.matchLabels: ["a"]: must be a mapping of text to text',
		],
		[
			"a provider nobody knows",
			pool("a")
				.replace("AddressPool", "BalancerClass")
				.replace(/spec:.*/, "spec: {provider: Cloud}"),
			'document 1: spec.provider: "Cloud": must be HetznerCloud or Layer2 or Static',
		],
	])(
		"%s is refused by document, field, value and what to write",
		(_row, text, expected) => {
			expect(complaint(text)).toContain(expected);
		},
	);

	it.each([
		"",
		"x",
		"[1]",
		"{}",
		"spec: 1",
		"metadata: [",
		"kind: AddressPool",
	])("of any shape is refused in words of ours (%j)", (text) => {
		expect(complaint(text)).not.toMatch(
			/invalid input|unrecognized|expected|received/i,
		);
	});
});
