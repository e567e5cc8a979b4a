import { readFileSync } from "node:fs";
import { errors } from "../../operator/errors.ts";

const page = readFileSync(
	new URL("../../docs/reference/errors.md", import.meta.url),
	"utf8",
);

describe("docs/reference/errors.md", () => {
	it("has exactly one row for every error in the registry, with its help", () => {
		const rows = [
			...page.matchAll(/^\| `(\w+)` \| (yes|no) \| (.+) \|$/gm),
		].map(([, code, retryable, help]) => ({ code, retryable, help }));
		expect(rows).toEqual(
			Object.entries(errors).map(([code, { retryable, help }]) => ({
				code,
				retryable: retryable ? "yes" : "no",
				help,
			})),
		);
	});
});
