import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakeKube } from "../../test/support/fake-kube.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { FairleadError } from "../errors.ts";
import { startAgentStores } from "./stores.ts";

/** Whether an agent begins that may not read some kinds, and what it says is wrong. */
async function withoutReading(...forbidden: string[]) {
	const clock = new FakeClock();
	const kube = new FakeKube(clock);
	kube.before = ({ resource }) => {
		if (forbidden.includes(resource))
			throw new FairleadError("KubeForbidden", "it is forbidden");
	};
	const stores = startAgentStores({
		client: kube,
		node: "node-1",
		clock,
		random: () => 0.5,
		log: quietLog(),
	});
	let begins = false;
	void stores.synced.then(() => {
		begins = true;
	});
	await clock.advance(60_000);
	const problems = stores.problems();
	await stores.stop();
	return { begins, problems };
}

describe("an agent whose ClusterRole is older than itself", () => {
	it.each([
		["namespaces", true],
		["externalippolicies", true],
		["services", false],
		["endpointslices", false],
		["nodes", false],
	])(
		"and that may not read %s, begins: %s; and says so",
		async (kind, begins) => {
			expect(await withoutReading(kind)).toEqual({
				begins,
				problems: [expect.stringMatching(`^${kind}: it is forbidden`)],
			});
		},
	);
});
