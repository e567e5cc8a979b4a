const transform = { "\\.ts$": "<rootDir>/test/support/strip-types.cjs" };

/** One project per kind of test: what it needs decides where it lives. */
const project = (displayName, roots, more = {}) => ({
	displayName,
	testEnvironment: "node",
	roots: roots.map((root) => `<rootDir>/${root}`),
	testMatch: ["**/*.test.ts"],
	extensionsToTreatAsEsm: [".ts"],
	modulePathIgnorePatterns: ["<rootDir>/dist"],
	moduleNameMapper: { "^fast-check$": "<rootDir>/test/support/fast-check.ts" },
	transform,
	...more,
});

/** @type {import('jest').Config} */
export default {
	projects: [
		project("unit", [
			"operator",
			"fake-cloud",
			"sandbox",
			"cli",
			"test/support",
			"test/house",
		]),
		project("controller", ["test/controller"], {
			setupFilesAfterEnv: ["<rootDir>/test/support/nock.ts"],
		}),
		project("e2e", ["test/e2e"]),
		project("cluster", ["test/cluster"]),
		project("packets", ["test/packets"]),
		project("browser", ["test/browser"]),
		project("chaos", ["test/chaos"]),
	],
};
