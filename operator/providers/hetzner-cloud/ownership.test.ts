import fc from "fast-check";
import { ownedParts, ownsLabels, targetKey } from "./ownership.ts";

const part = fc.oneof(
	fc.integer({ min: 1, max: 65_535 }).map((port) => `p${port}`),
	fc.integer({ min: 1, max: 65_535 }).map((port) => `u${port}`),
	fc.nat({ max: Number.MAX_SAFE_INTEGER }).map((id) => `s${id}`),
	fc
		.oneof(fc.ipV4(), fc.ipV6())
		.map((ip) => targetKey({ type: "ip", ip: { ip } }) as string),
);

describe("the list of parts in a balancer's labels", () => {
	it("holds any number of parts in labels the cloud accepts, and gives them back", () => {
		fc.assert(
			fc.property(fc.uniqueArray(part, { maxLength: 200 }), (parts) => {
				const labels = ownsLabels(parts);
				for (const [name, value] of Object.entries(labels)) {
					expect(name).toMatch(/^fairlead\.dev\/owns-\d+$/);
					// docs.hetzner.cloud, Labels.
					expect(value).toMatch(
						/^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/,
					);
				}
				expect([...ownedParts(labels)].sort()).toEqual([...parts].sort());
			}),
		);
	});

	it("is the same for the same parts in any order", () => {
		expect(ownsLabels(["s2", "p80", "s1"])).toEqual(
			ownsLabels(["p80", "s1", "s2"]),
		);
	});

	it("reads nothing out of labels that are not its own", () => {
		expect(ownedParts({ team: "p80", "fairlead.dev/cluster": "s1" })).toEqual(
			new Set(),
		);
	});
});
