import { readFileSync } from "node:fs";
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
