import { jest } from "@jest/globals";
import { Fairlead } from "../support/fairlead.ts";

jest.setTimeout(60_000);

describe("fairlead sandbox exec", () => {
	it.each([
		[["client"], "no command"],
		[["client", "ls"], "no dashes before the command"],
		[[], "nothing at all"],
	])("with %j says how it is used, for there is %s", async (args) => {
		const exec = new Fairlead(["sandbox", "exec", ...args]);
		expect((await exec.ended).code).toBe(2);
		expect(exec.log.map(({ msg }) => msg)).toEqual([
			"fairlead sandbox exec: usage: fairlead sandbox exec client|cloud|node-N|POD|NAMESPACE/POD -- COMMAND [ARGS]",
		]);
	});

	it("leaves --help behind the dashes to the command", async () => {
		const exec = new Fairlead(["sandbox", "exec", "nowhere", "--", "--help"]);
		await exec.ended;
		expect(exec.out.join("\n")).not.toContain("fairlead");
	});
});
