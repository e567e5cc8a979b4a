import { parseTokenFile, Tokens } from "./tokens.ts";

test("a token file gives each token its project and access", () => {
	expect(
		parseTokenFile("# mine\nabc\ndef team read # theirs\r\n\nghi team\n"),
	).toEqual([
		{ token: "abc", project: "default", readOnly: false },
		{ token: "def", project: "team", readOnly: true },
		{ token: "ghi", project: "team", readOnly: false },
	]);
});

test.each([
	["secret team writer", "line 1: unexpected words"],
	["a\nsecret team read more", "line 2: unexpected words"],
	["secret\nsecret other", "line 2: the same token again"],
])("%j is refused: %s, and the token stays unsaid", (content, message) => {
	expect(() => parseTokenFile(content)).toThrow(message);
	expect(() => parseTokenFile(content)).not.toThrow("secret");
});

test("no token at all is refused", () => {
	expect(() => new Tokens([])).toThrow("at least one token");
});

test.each([
	["Bearer abc", { project: "default", readOnly: false }],
	["bearer  abc ", { project: "default", readOnly: false }],
	["Bearer abcd", undefined],
	["Basic abc", undefined],
	["abc", undefined],
	[undefined, undefined],
])("Authorization %j grants %j", (header, grant) => {
	expect(new Tokens([{ token: "abc" }]).grant(header)).toEqual(grant);
});
