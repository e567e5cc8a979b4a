import { globSync, readFileSync } from "node:fs";
import { errors } from "../../operator/errors.ts";
import {
	type ReasonEntry,
	reasons,
} from "../../operator/model/explain/reasons.ts";

const page = readFileSync(
	new URL("../../docs/reference/explain.md", import.meta.url),
	"utf8",
);

describe("docs/reference/explain.md", () => {
	it("has exactly one row for every reason in the registry, with its step, meaning and help", () => {
		const rows = [
			...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.+?) \| (?:(.+) )?\|$/gm),
		].map(([, name, step, meaning, help]) => ({ name, step, meaning, help }));
		expect(rows).toEqual(
			Object.entries<ReasonEntry>(reasons).map(
				([name, { step, meaning, help }]) => ({ name, step, meaning, help }),
			),
		);
	});
});

/** They write on other kinds than Services. */
const ofOtherKinds =
	/(pool-status|addresses\/held|reservations|reservation-status|class-condition|nodeports\/release)\.ts$/;

/** Reasons that a file can write: what stands behind `reason:`, and the unions that reasons are taken from. */
function reasonsIn(source: string): string[] {
	const places = [
		...source.matchAll(/\breason:([^;{}]*?)(?:,\n|;|\})/g),
		...source.matchAll(
			/\btype \w*(?:Refusal|Reason|ReasonCode|FindingCode) =([^;]*);/g,
		),
	];
	return places.flatMap(([, text = ""]) =>
		[...text.matchAll(/(?<!=== )"([A-Z]\w+)"/g)].map(([, name = ""]) => name),
	);
}

it("the registry has every reason that the model can write on a Service", () => {
	const root = new URL("../../operator/model/", import.meta.url);
	const written = globSync("**/*.ts", { cwd: root }).flatMap((file) =>
		file.endsWith(".test.ts") || ofOtherKinds.test(file)
			? []
			: reasonsIn(readFileSync(new URL(file, root), "utf8")),
	);
	expect(written).toEqual(
		expect.arrayContaining(["PoolInvalid", "SeveralProblems", "PortTaken"]),
	);
	const known = new Set([...Object.keys(reasons), ...Object.keys(errors)]);
	expect([...new Set(written)].filter((name) => !known.has(name))).toEqual([]);
});
