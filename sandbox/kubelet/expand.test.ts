import { expand } from "./expand.ts";

const known: Record<string, string> = { NAME: "web", EMPTY: "", "A-B": "dash" };

it.each<[string, string, string]>([
	["text without references stays", "plain", "plain"],
	["a reference becomes its value", "hello $(NAME)!", "hello web!"],
	["a reference may be to an empty value", "<$(EMPTY)>", "<>"],
	["several references follow one another", "$(NAME)$(NAME)", "webweb"],
	["a name may hold any character but a parenthesis", "$(A-B)", "dash"],
	["what is not known stays as it is", "$(NOBODY)", "$(NOBODY)"],
	["a doubled dollar escapes the reference", "$$(NAME)", "$(NAME)"],
	["a tripled dollar is a dollar and a reference", "$$$(NAME)", "$web"],
	[
		"a quadrupled dollar is an escaped dollar and a text",
		"$$$$(NAME)",
		"$$(NAME)",
	],
	["a doubled dollar anywhere becomes one", "cost: 5$$", "cost: 5$"],
	["a lone dollar stays", "5$ and $x", "5$ and $x"],
	["a dollar at the end stays", "end$", "end$"],
	["a reference that is not closed stays", "$(NAME", "$(NAME"],
	[
		"what a value holds is not expanded again",
		"$(NAME) $(NEST)",
		"web $(NEST)",
	],
	["an empty reference stays", "$()", "$()"],
])("%s", (_what, text, expanded) => {
	expect(expand(text, (name) => known[name])).toBe(expanded);
});
