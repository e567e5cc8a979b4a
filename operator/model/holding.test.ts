import type { Service } from "../api/core.ts";
import { annotations } from "../api/names.ts";
import { holdingOf } from "./holding.ts";

const noted = (value: string): Service => ({
	metadata: {
		name: "web",
		annotations: { [annotations.provisionedBy]: value },
	},
	spec: {},
});

describe("who holds something for a Service", () => {
	it("is read off its record", () => {
		expect(holdingOf(noted("lan/Static"))).toEqual({
			className: "lan",
			provider: "Static",
		});
	});

	it.each([
		"",
		"lan",
		"/Static",
		"lan/",
		"a/b/Static",
		"0.0.0.0/0",
		"lan/toString",
	])("is nobody where the record says %j, which we do not write", (value) =>
		expect(holdingOf(noted(value))).toBeUndefined(),
	);
});
