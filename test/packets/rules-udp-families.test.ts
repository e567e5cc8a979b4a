import { jest } from "@jest/globals";
import type { IPFamily } from "../../operator/api/core.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import {
	type Frontend,
	frontendKey,
	type Program,
} from "../../operator/model/rules/program.ts";
import { families } from "../support/packet-oracle.ts";
import {
	type Answer,
	createPacketWorld,
	type PacketWorld,
	type PlaceName,
	SERVER_PORT,
} from "../support/packet-world.ts";

// A ceiling for a machine that is busy with other things: none of these takes a second on a quiet one.
jest.setTimeout(60_000);

let world: PacketWorld;
let backend: NftablesBackend;

beforeAll(async () => {
	world = await createPacketWorld();
});

afterAll(() => world?.close());

beforeEach(() => {
	backend = new NftablesBackend(world.namespaceOf("node"));
});

afterEach(() => {
	backend.remove();
	backend.close();
});

const addresses: Record<IPFamily, readonly string[]> = {
	IPv4: ["10.96.0.1", "10.96.0.2"],
	IPv6: ["2001:db8:96::1", "2001:db8:96::2"],
};

/** UDP 80 at one of the addresses above. */
function frontend(
	family: IPFamily,
	which: number,
	names: readonly PlaceName[],
): Frontend {
	return {
		kind: "ClusterIP",
		family,
		address: addresses[family][which] ?? "",
		protocol: "UDP",
		port: 80,
		service: `default/web-${which}`,
		portName: "",
		endpoints: names.map((name) => ({
			address: world.addressOf(name, family),
			port: SERVER_PORT,
			local: true,
		})),
		whenEmpty: "reject",
		masquerade: "outside",
	};
}

function program(frontends: readonly Frontend[]): Program {
	return {
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held: new Map(),
		podCidrs: [],
		masqueradeAll: false,
	};
}

function by(answer: Answer): string {
	return typeof answer === "object" && "by" in answer
		? answer.by
		: JSON.stringify(answer);
}

/** Which Services change, of those that have a client each. */
const scopes = {
	"of one Service": [0],
	"of several Services": [0, 1],
};

describe.each(
	families.flatMap((family) =>
		Object.entries(scopes).map(
			([scope, changed]) => [family, scope, changed] as const,
		),
	),
)("clients over %s that keep their port, %s", (family, _, changed) => {
	test("are led to another endpoint when their own is gone, and refused when it was the last; those of others stay", async () => {
		const every = [0, 1];
		const at = (names: readonly PlaceName[]) => (which: number) =>
			frontend(family, which, names);
		const states = [["pod-1"], ["pod-2"], [], ["pod-3"]] as const;
		backend.replace(program(every.map(at(states[0]))));
		const clients = every.map((which) =>
			world.converse("outside", "UDP", addresses[family][which] ?? "", 80),
		);
		const heard = async () => {
			const answers: string[] = [];
			for (const client of clients) answers.push(by(await client.say()));
			return answers;
		};
		expect(await heard()).toEqual(["pod-1", "pod-1"]);
		for (const [index, state] of states.slice(1).entries()) {
			const before = at(states[index] ?? []);
			const after = at(state);
			backend.apply({
				frontends: changed.map((which) => ({
					before: before(which),
					after: after(which),
				})),
				held: [],
			});
			const expected = state[0] ?? JSON.stringify("refused");
			expect(await heard()).toEqual(
				every.map((which) => (changed.includes(which) ? expected : "pod-1")),
			);
		}
		for (const client of clients) client.close();
	});
});
