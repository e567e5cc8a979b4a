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

	it.each<[string, string, RegExp]>([
		[
			"nothing at all",
			"",
			/f\.yaml: holds no AddressPool and no BalancerClass/,
		],
		["no YAML", "a: [", /document 1: .*line 1/],
		[
			"a word",
			"hello",
			/document 1: kind undefined: must be AddressPool or BalancerClass/,
		],
		[
			"another version",
			pool("a").replace("v1alpha1", "v9"),
			/document 1: apiVersion: /,
		],
		[
			"no name",
			pool("a").replace("name: a", "nme: a"),
			/document 1: metadata\.name: /,
		],
		[
			"an address that is no text",
			pool("a").replace("192.0.2.0/24", "1"),
			/document 1: spec\.addresses\[0\]: /,
		],
		[
			"a second document that is wrong",
			`${pool("a")}---\n${pool("A_")}`,
			/document 2: metadata\.name: must be a name/,
		],
		[
			"a misspelt field",
			pool("a").replace("addresses", "adresses"),
			/document 1: spec/,
		],
	])("%s is refused by document and field", (_row, text, expected) => {
		expect(complaint(text)).toMatch(expected);
	});
});
