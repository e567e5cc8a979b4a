import { spawnSync } from "node:child_process";
import { jest } from "@jest/globals";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import {
	type Frontend,
	frontendKey,
	type Program,
	type ProgramChange,
} from "../../operator/model/rules/program.ts";
import { families } from "../support/packet-oracle.ts";
import {
	createPacketWorld,
	type PacketWorld,
	type PlaceName,
	SERVER_PORT,
} from "../support/packet-world.ts";

// A ceiling for a machine that is busy with other things: none of these takes a second on a quiet one.
jest.setTimeout(60_000);

const addresses = {
	ClusterIP: { IPv4: "10.96.0.1", IPv6: "2001:db8:96::1" },
	ingress: { IPv4: "203.0.113.10", IPv6: "2001:db8:113::10" },
} as const;
const podCidrs = ["10.244.0.0/16", "2001:db8:244::/48"];

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

/** A Service with pod-2 alone behind it, at a ClusterIP and at an ingress address of policy Local. */
function program(settings: Partial<Program> = {}): Program {
	const frontends = families.flatMap((family): Frontend[] =>
		(["ClusterIP", "ingress"] as const).map((target) => ({
			kind: target === "ClusterIP" ? "ClusterIP" : "LoadBalancer",
			family,
			address: addresses[target][family],
			protocol: "TCP",
			port: 80,
			service: "default/web",
			portName: "",
			endpoints: [
				{
					address: world.addressOf("pod-2", family),
					port: SERVER_PORT,
					local: true,
				},
			],
			whenEmpty: "drop",
			masquerade: target === "ClusterIP" ? "outside" : "node",
		})),
	);
	return {
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held: new Map(),
		podCidrs,
		masqueradeAll: false,
		...settings,
	};
}

/** Whom pod-2 sees when each of these calls, over both families. */
async function seen(
	target: keyof typeof addresses,
	callers: readonly PlaceName[],
): Promise<Record<string, unknown>> {
	const found: Record<string, unknown> = {};
	for (const from of callers)
		for (const family of families) {
			const { answer } = world.ask(from, "TCP", addresses[target][family], 80);
			found[`${from} ${family}`] = await answer;
		}
	return found;
}

function sees(
	expected: Partial<Record<PlaceName, PlaceName>>,
): Record<string, unknown> {
	return Object.fromEntries(
		Object.entries(expected).flatMap(([from, saw]) =>
			families.map((family) => [`${from} ${family}`, { by: "pod-2", saw }]),
		),
	);
}

const callers = ["outside", "pod-1", "pod-3", "node"] as const;
const asUsual = {
	outside: "node",
	"pod-1": "pod-1",
	"pod-3": "pod-3",
	node: "node",
} as const;
const toAll = {
	outside: "node",
	"pod-1": "node",
	"pod-3": "node",
	node: "node",
} as const;
const toNobody = {
	outside: "outside",
	"pod-1": "pod-1",
	"pod-3": "pod-3",
	node: "node",
} as const;

type Settings = NonNullable<ProgramChange["settings"]>;

describe.each<[string, Settings, Partial<Record<PlaceName, PlaceName>>]>([
	[
		"where the pods' CIDRs are known, an endpoint behind a ClusterIP sees pods, and the node in the place of others",
		{ podCidrs, masqueradeAll: false },
		asUsual,
	],
	[
		"under masqueradeAll it sees the node in the place of everybody",
		{ podCidrs, masqueradeAll: true },
		toAll,
	],
	[
		"where nobody knows the pods' CIDRs it sees who called",
		{ podCidrs: [], masqueradeAll: false },
		toNobody,
	],
	[
		"of pods in other CIDRs it sees the node",
		{
			podCidrs: ["10.244.1.0/24", "2001:db8:244:1::/64"],
			masqueradeAll: false,
		},
		{ ...asUsual, "pod-3": "node" },
	],
])("%s", (_, settings, expected) => {
	test("from the start", async () => {
		backend.replace(program(settings));
		expect(await seen("ClusterIP", callers)).toEqual(sees(expected));
	});

	test("as soon as it is set", async () => {
		backend.replace(program());
		expect(await seen("ClusterIP", callers)).toEqual(sees(asUsual));
		backend.apply({ frontends: [], held: [], settings });
		expect(await seen("ClusterIP", callers)).toEqual(sees(expected));
	});

	test("and at an address of policy Local clients keep their own", async () => {
		backend.replace(program(settings));
		expect(await seen("ingress", ["outside", "pod-1", "pod-3"])).toEqual(
			sees({ outside: "outside", "pod-1": "pod-1", "pod-3": "pod-3" }),
		);
	});
});

test("a new timeout of affinity counts for a client from its next connection", async () => {
	const sticky = (affinitySeconds: number): Frontend[] =>
		[...program().frontends.values()].map((each) => ({
			...each,
			affinitySeconds,
		}));
	const before = sticky(10_800);
	backend.replace({
		...program(),
		frontends: new Map(before.map((each) => [frontendKey(each), each])),
	});
	/** For how many seconds outside is remembered at the ingress address. */
	const remembered = (): number => {
		const { stdout, stderr, status } = world.namespaceOf("node").run(() =>
			spawnSync("nft", ["-j", "list", "map", "ip", "fairlead", "affinity"], {
				encoding: "utf8",
			}),
		);
		expect([status, stderr]).toEqual([0, ""]);
		const { nftables } = JSON.parse(stdout) as {
			nftables: {
				map?: { elem?: [{ elem: { expires: number } }, unknown][] };
			}[];
		};
		const [entry] = nftables.flatMap(({ map }) => map?.elem ?? []);
		return entry?.[0].elem.expires ?? 0;
	};
	const call = async () =>
		expect(await seen("ingress", ["outside"])).toEqual(
			sees({ outside: "outside" }),
		);
	await call();
	expect(remembered()).toBeGreaterThan(5_000);
	const after = sticky(3_000);
	backend.apply({
		frontends: before.map((each, index) => ({
			before: each,
			after: after[index] as Frontend,
		})),
		held: [],
	});
	expect(remembered()).toBeGreaterThan(5_000);
	await call();
	expect(remembered()).toBeGreaterThan(0);
	expect(remembered()).toBeLessThanOrEqual(3_000);
});
