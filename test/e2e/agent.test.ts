import { jest } from "@jest/globals";
import { Fairlead } from "../support/fairlead.ts";

jest.setTimeout(30_000);

describe("fairlead agent", () => {
	it.each([
		[[], "--node is missing: the name of this machine's Node object"],
		[
			["--node", "node-1", "--rules", "audit"],
			'--rules "audit": is not part of this version; use full, or off where another proxy runs',
		],
		[
			["--node", "node-1", "--rules", "some"],
			'--rules "some": must be full or off',
		],
		[
			["--node", "node-1", "--cluster-cidr", "10.244.0.0"],
			'--cluster-cidr "10.244.0.0": "10.244.0.0" is not a CIDR: it has no prefix length; one address is written with /32, or /128 for IPv6',
		],
		[
			["--node", "node-1", "--nodeport-addresses", "secondary"],
			'--nodeport-addresses "secondary": must be primary, or CIDRs with commas between',
		],
	])("%j says in one line what is wrong", async (flags, line) => {
		const agent = new Fairlead(["agent", ...flags]);
		expect((await agent.ended).code).toBe(2);
		expect(agent.log.map(({ msg }) => msg)).toEqual([
			`fairlead agent: ${line}`,
		]);
	});

	it("with --rules off answers its probes, needs no privileges, and ends when asked", async () => {
		const flags = ["--node", "node-1", "--rules", "off", "--metrics-port", "0"];
		const agent = new Fairlead(["agent", ...flags]);
		const { probes } = await agent.logged(
			({ msg }) => msg === "the agent is running; rules are off",
		);
		for (const path of ["livez", "readyz", "metrics"]) {
			const { status } = await fetch(
				`http://127.0.0.1:${String(probes)}/${path}`,
			);
			expect(status).toBe(200);
		}
		expect((await agent.kill("SIGTERM")).code).toBe(0);
	});
});
