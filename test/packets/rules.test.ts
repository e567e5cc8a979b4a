import { jest } from "@jest/globals";
import type { IPFamily } from "../../operator/api/core.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import { evaluate, sourceKind } from "../../operator/model/rules/evaluate.ts";
import {
	type Backend,
	type Frontend,
	frontendKey,
	type Program,
} from "../../operator/model/rules/program.ts";
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
let services: Program;

beforeAll(async () => {
	world = await createPacketWorld();
	backend = new NftablesBackend(world.namespaceOf("node"));
	services = everyKindOfService();
	backend.replace(services);
});

afterAll(async () => {
	backend?.close();
	await world?.close();
});

const families: readonly IPFamily[] = ["IPv4", "IPv6"];
const protocols = ["TCP", "UDP"] as const;

/** What a caller can call, and the port there. */
const destinations = {
	"a ClusterIP": { IPv4: "10.96.0.1", IPv6: "2001:db8:96::1", port: 80 },
	"a ClusterIP's unserved port": {
		IPv4: "10.96.0.1",
		IPv6: "2001:db8:96::1",
		port: 81,
	},
	"a ClusterIP without endpoints": {
		IPv4: "10.96.0.2",
		IPv6: "2001:db8:96::2",
		port: 80,
	},
	"a ClusterIP with pod-1 alone": {
		IPv4: "10.96.0.3",
		IPv6: "2001:db8:96::3",
		port: 80,
	},
	"a ClusterIP with pod-3 alone": {
		IPv4: "10.96.0.4",
		IPv6: "2001:db8:96::4",
		port: 80,
	},
	"a NodePort": { IPv4: "192.0.2.1", IPv6: "2001:db8:2::1", port: 30080 },
	"a NodePort without endpoints": {
		IPv4: "192.0.2.1",
		IPv6: "2001:db8:2::1",
		port: 30081,
	},
	"a NodePort of policy Local": {
		IPv4: "192.0.2.1",
		IPv6: "2001:db8:2::1",
		port: 30082,
	},
	"an ingress address": {
		IPv4: "203.0.113.10",
		IPv6: "2001:db8:113::10",
		port: 80,
	},
	"an ingress address' unserved port": {
		IPv4: "203.0.113.10",
		IPv6: "2001:db8:113::10",
		port: 81,
	},
	"an ingress address of policy Local": {
		IPv4: "203.0.113.11",
		IPv6: "2001:db8:113::11",
		port: 80,
	},
	"an ingress address of policy Local without an endpoint on this node": {
		IPv4: "203.0.113.12",
		IPv6: "2001:db8:113::12",
		port: 80,
	},
	"an ingress address without endpoints": {
		IPv4: "203.0.113.13",
		IPv6: "2001:db8:113::13",
		port: 80,
	},
	"an ingress address for outside's network": {
		IPv4: "203.0.113.14",
		IPv6: "2001:db8:113::14",
		port: 80,
	},
	"an ingress address for other networks": {
		IPv4: "203.0.113.15",
		IPv6: "2001:db8:113::15",
		port: 80,
	},
	"an ingress address for nobody": {
		IPv4: "203.0.113.16",
		IPv6: "2001:db8:113::16",
		port: 80,
	},
	"an external IP": {
		IPv4: "198.51.100.7",
		IPv6: "2001:db8:100::7",
		port: 80,
	},
	"the server of pod-1 itself": {
		IPv4: "10.244.1.2",
		IPv6: "2001:db8:244:1::2",
		port: SERVER_PORT,
	},
	"the server of the node itself": {
		IPv4: "192.0.2.1",
		IPv6: "2001:db8:2::1",
		port: SERVER_PORT,
	},
};

type Destination = keyof typeof destinations;

const outsideNetworks: Record<IPFamily, string[]> = {
	IPv4: ["198.18.0.0/15", "192.0.2.0/25"],
	IPv6: ["2001:db8:ffff::/48", "2001:db8:2::/63"],
};
const otherNetworks: Record<IPFamily, string[]> = {
	IPv4: ["198.18.0.0/15", "192.0.2.128/25", "192.0.2.11/32"],
	IPv6: ["2001:db8:ffff::/48", "2001:db8:2::11/128"],
};

function everyKindOfService(): Program {
	const frontends: Frontend[] = [];
	for (const family of families) {
		const pod = (name: PlaceName): Backend => ({
			address: world.addressOf(name, family),
			port: SERVER_PORT,
			local: name !== "pod-3",
		});
		const add = (
			destination: Destination,
			more: Pick<Frontend, "kind" | "endpoints"> & Partial<Frontend>,
		) => {
			for (const protocol of protocols)
				frontends.push({
					family,
					address: destinations[destination][family],
					protocol,
					port: destinations[destination].port,
					service: "default/web",
					portName: protocol.toLowerCase(),
					whenEmpty: "reject",
					masquerade: more.kind === "ClusterIP" ? "outside" : "always",
					...more,
				});
		};
		const both = [pod("pod-1"), pod("pod-2")];
		const all = [...both, pod("pod-3")];
		const local = {
			masquerade: "node",
			whenEmpty: "drop",
			internalEndpoints: all,
		} as const;
		add("a ClusterIP", { kind: "ClusterIP", endpoints: both });
		add("a ClusterIP without endpoints", { kind: "ClusterIP", endpoints: [] });
		add("a ClusterIP with pod-1 alone", {
			kind: "ClusterIP",
			endpoints: [pod("pod-1")],
		});
		add("a ClusterIP with pod-3 alone", {
			kind: "ClusterIP",
			endpoints: [pod("pod-3")],
		});
		add("a NodePort", { kind: "NodePort", endpoints: both });
		add("a NodePort without endpoints", { kind: "NodePort", endpoints: [] });
		add("a NodePort of policy Local", {
			kind: "NodePort",
			endpoints: [pod("pod-1")],
			...local,
		});
		add("an ingress address", { kind: "LoadBalancer", endpoints: both });
		add("an ingress address of policy Local", {
			kind: "LoadBalancer",
			endpoints: [pod("pod-1")],
			...local,
		});
		add("an ingress address of policy Local without an endpoint on this node", {
			kind: "LoadBalancer",
			endpoints: [],
			...local,
			internalEndpoints: [pod("pod-3")],
		});
		add("an ingress address without endpoints", {
			kind: "LoadBalancer",
			endpoints: [],
		});
		add("an ingress address for outside's network", {
			kind: "LoadBalancer",
			endpoints: both,
			sourceRanges: outsideNetworks[family],
		});
		add("an ingress address for other networks", {
			kind: "LoadBalancer",
			endpoints: both,
			sourceRanges: otherNetworks[family],
		});
		add("an ingress address for nobody", {
			kind: "LoadBalancer",
			endpoints: both,
			sourceRanges: [],
		});
		add("an external IP", { kind: "ExternalIP", endpoints: both });
	}
	const held = families.flatMap((family) => [
		{ address: destinations["a ClusterIP"][family], echo: false },
		{ address: destinations["an ingress address"][family], echo: true },
	]);
	return {
		frontends: new Map(
			frontends.map((frontend) => [frontendKey(frontend), frontend]),
		),
		held: new Map(held.map((address) => [address.address, address])),
		podCidrs: ["10.244.0.0/16", "2001:db8:244::/48"],
		masqueradeAll: false,
	};
}

const both = ["pod-1", "pod-2"] as const;
const all = ["pod-1", "pod-2", "pod-3"] as const;

interface Row {
	from: PlaceName;
	to: Destination;
	by: readonly PlaceName[];
	saw: PlaceName;
}

const row = (
	from: PlaceName,
	to: Destination,
	by: readonly PlaceName[],
	saw: PlaceName,
): Row => ({ from, to, by, saw });

const answered: readonly Row[] = [
	row("outside", "a ClusterIP", both, "node"),
	row("node", "a ClusterIP", both, "node"),
	row("pod-3", "a ClusterIP", both, "pod-3"),
	row("pod-2", "a ClusterIP with pod-1 alone", ["pod-1"], "pod-2"),
	row("pod-1", "a ClusterIP with pod-1 alone", ["pod-1"], "node"),
	row("pod-3", "a ClusterIP with pod-3 alone", ["pod-3"], "node"),
	row("outside", "a NodePort", both, "node"),
	row("node", "a NodePort", both, "node"),
	row("pod-3", "a NodePort", both, "node"),
	row("outside", "a NodePort of policy Local", ["pod-1"], "outside"),
	row("node", "a NodePort of policy Local", all, "node"),
	row("outside", "an ingress address", both, "node"),
	row("node", "an ingress address", both, "node"),
	row("pod-1", "an ingress address", both, "node"),
	row("outside", "an ingress address of policy Local", ["pod-1"], "outside"),
	row("node", "an ingress address of policy Local", all, "node"),
	row(
		"pod-3",
		"an ingress address of policy Local without an endpoint on this node",
		["pod-3"],
		"node",
	),
	row(
		"pod-1",
		"an ingress address of policy Local without an endpoint on this node",
		["pod-3"],
		"pod-1",
	),
	row("outside", "an ingress address for outside's network", both, "node"),
	row("outside", "an external IP", both, "node"),
	row("pod-3", "an external IP", both, "node"),
	row("outside", "the server of pod-1 itself", ["pod-1"], "outside"),
	row("outside", "the server of the node itself", ["node"], "outside"),
	row("pod-1", "the server of the node itself", ["node"], "pod-1"),
	row("node", "the server of the node itself", ["node"], "node"),
	row("node", "the server of pod-1 itself", ["pod-1"], "node"),
	row("node", "an external IP", both, "node"),
	row("node", "a ClusterIP with pod-3 alone", ["pod-3"], "node"),
];

const refused: readonly Pick<Row, "from" | "to">[] = [
	{ from: "outside", to: "a ClusterIP without endpoints" },
	{ from: "pod-1", to: "a ClusterIP without endpoints" },
	{ from: "node", to: "a ClusterIP without endpoints" },
	{ from: "outside", to: "a NodePort without endpoints" },
	{ from: "pod-1", to: "a NodePort without endpoints" },
	{ from: "node", to: "a NodePort without endpoints" },
	{ from: "outside", to: "an ingress address without endpoints" },
	{ from: "node", to: "an ingress address without endpoints" },
	{ from: "pod-1", to: "a ClusterIP's unserved port" },
	{ from: "node", to: "a ClusterIP's unserved port" },
	{ from: "outside", to: "an ingress address' unserved port" },
	{ from: "pod-1", to: "an ingress address' unserved port" },
	{ from: "node", to: "an ingress address' unserved port" },
];

const ignored: readonly Pick<Row, "from" | "to">[] = [
	{
		from: "outside",
		to: "an ingress address of policy Local without an endpoint on this node",
	},
	{ from: "outside", to: "an ingress address for other networks" },
	{ from: "pod-1", to: "an ingress address for outside's network" },
	{ from: "outside", to: "an ingress address for nobody" },
	{ from: "node", to: "an ingress address for nobody" },
];

describe.each(families)("over %s", (family) => {
	describe.each(protocols)("%s", (protocol) => {
		const ask = (from: PlaceName, to: Destination) =>
			world.ask(
				from,
				protocol,
				destinations[to][family],
				destinations[to].port,
			);

		/** The model's word on the same packet. */
		const evaluated = (from: PlaceName, to: Destination) => {
			const source = world.addressOf(from, family);
			return evaluate(services, {
				source,
				sourceIs: sourceKind(services, source, [
					world.addressOf("node", family),
				]),
				destination: destinations[to][family],
				protocol,
				port: destinations[to].port,
				pick: () => 0,
			});
		};

		test.each(answered)(
			"$from calls $to and is answered by $by, who see $saw",
			async ({ from, to, by, saw }) => {
				const answer = await ask(from, to).answer;
				expect(by.map((name) => ({ by: name, saw }))).toContainEqual(answer);
				expect(evaluated(from, to)).toMatchObject(
					to.startsWith("the server")
						? { verdict: "notOurs" }
						: {
								verdict: "forwarded",
								masquerade: saw !== from || from === "node",
								candidates: by.map((name) => ({
									endpoint: { address: world.addressOf(name, family) },
								})),
							},
				);
			},
		);

		test.each(refused)("$from calls $to and is refused", async (row) => {
			expect(await ask(row.from, row.to).answer).toBe("refused");
			expect(evaluated(row.from, row.to).verdict).toBe("rejected");
		});

		test.each(ignored)("$from calls $to and hears nothing", async (row) => {
			const question = ask(row.from, row.to);
			let heard: Answer | undefined;
			void question.answer.then((answer) => {
				heard = answer;
			});
			// Whatever comes back comes by the same wire as three answers that were asked for later.
			for (let later = 0; later < 3; later++)
				await ask(row.from, "the server of pod-1 itself").answer;
			expect(heard).toBeUndefined();
			question.abandon();
			expect(evaluated(row.from, row.to).verdict).toBe("dropped");
		});
	});

	test.each(["outside", "node", "pod-1"] as const)(
		"an echo request from %s to an ingress address is answered",
		async (from) => {
			const { answer } = world.ping(
				from,
				destinations["an ingress address"][family],
			);
			expect(await answer).toBe("echoed");
		},
	);
});
