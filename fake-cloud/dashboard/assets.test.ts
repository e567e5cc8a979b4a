import { loadAssets, resolveImports } from "./assets.ts";

test.each([
	[
		"main.js",
		'import { render } from "preact";',
		'import { render } from "./vendor/preact.js";',
	],
	[
		"views/page.js",
		'import{useState as u}from"preact/hooks";',
		'import{useState as u}from"../vendor/preact-hooks.js";',
	],
	[
		"vendor/preact-signals.js",
		'export{a}from"@preact/signals-core";',
		'export{a}from"../vendor/preact-signals-core.js";',
	],
	["main.js", 'import "./state.js";', 'import "./state.js";'],
])("in %s, %s is served as %s", (address, source, served) => {
	expect(resolveImports(source, address)).toBe(served);
});

test("a package that is not served is an error that names it", () => {
	expect(() => resolveImports('import x from "left-pad";', "main.js")).toThrow(
		'main.js imports "left-pad"',
	);
});

test("every script's imports lead to a script that is served", () => {
	const assets = loadAssets();
	const scripts = [...assets].filter(([address]) => address.endsWith(".js"));
	expect(scripts.length).toBeGreaterThan(20);
	for (const [address, { body }] of scripts)
		for (const [, target] of body
			.toString()
			// What ends in .ts are types, imported in comments.
			.matchAll(/\b(?:from|import)\s*"([^"\n]+(?<!\.ts))"/g))
			expect({
				address,
				target,
				served: assets.has(
					new URL(target ?? "", `http://page/${address}`).pathname.slice(1),
				),
			}).toEqual({ address, target, served: true });
});

test("neither tests nor types are served", () => {
	expect(
		[...loadAssets().keys()].filter((one) => /\.ts$|json$/.test(one)),
	).toEqual([]);
});
