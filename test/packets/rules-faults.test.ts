import { EventEmitter, once } from "node:events";
import { jest } from "@jest/globals";
import type { AgentIncident } from "../../operator/agent/rules/incidents.ts";
import { RulesLoop } from "../../operator/agent/rules/rules-loop.ts";
import { systemClock } from "../../operator/clock.ts";
import { NetlinkSocket } from "../../operator/kernel/netlink.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import { NFNL_SUBSYS_NFTABLES } from "../../operator/kernel/nftables/wire.ts";
import { defaultNodeSettings } from "../../operator/model/rules/rules-node.ts";
import { AgentWorld } from "../support/agent-world.ts";
import { nftIn, nftScriptIn } from "../support/nft-listing.ts";
import {
	type Answer,
	createPacketWorld,
	type PacketWorld,
	SERVER_PORT,
} from "../support/packet-world.ts";
import { serviceOf, sliceOf } from "../support/rules-world.ts";

// A ceiling for a machine that is busy with other things: none of these takes two seconds on a quiet one.
jest.setTimeout(60_000);

const clusterIP = "10.96.0.10";

let world: PacketWorld;
let agent: AgentWorld;
let backend: NftablesBackend;
let loop: RulesLoop;
let incidents: AgentIncident[];
const syncs = new EventEmitter();

const nft = (...words: string[]) => nftIn(world.namespaceOf("node"), ...words);

const nftScript = (commands: string) =>
	nftScriptIn(world.namespaceOf("node"), commands);

beforeAll(async () => {
	world = await createPacketWorld();
	agent = new AgentWorld();
	incidents = [];
	const address = world.addressOf("node", "IPv4");
	agent.put({
		metadata: { name: "node" },
		spec: { podCIDRs: ["10.244.0.0/16"] },
		status: { addresses: [{ type: "InternalIP", address }] },
	});
	for (const protocol of ["TCP", "UDP"] as const) {
		const name = protocol.toLowerCase();
		agent.put(
			serviceOf(
				{
					clusterIPs: [clusterIP],
					sessionAffinity: "ClientIP",
					ports: [{ name, port: 80, protocol }],
				},
				{ name },
			),
		);
		agent.put(
			sliceOf(
				(["pod-1", "pod-2"] as const).map(
					(pod) => `${world.addressOf(pod, "IPv4")}@node`,
				),
				{ service: name, ports: [{ name, protocol, port: SERVER_PORT }] },
			),
		);
	}
	// So little that a large change of others cannot be followed.
	backend = new NftablesBackend(world.namespaceOf("node"), {
		watchBytes: 1 << 18,
	});
	loop = new RulesLoop({
		node: "node",
		stores: agent.stores,
		backend,
		settings: defaultNodeSettings,
		clock: systemClock,
		random: Math.random,
		log: agent.log,
		metrics: agent.metrics,
		tell: (incident) => {
			incidents.push(incident);
			syncs.emit("told");
		},
		onSynced: () => syncs.emit("synced"),
	});
	loop.start();
	await agent.listed();
	await loop.synced;
});

afterAll(async () => {
	loop.stop();
	await world.close();
});

beforeEach(() => {
	incidents.length = 0;
});

const served: Answer[] = (["pod-1", "pod-2"] as const).map((by) => ({
	by,
	saw: "node",
}));

const element = `${clusterIP} . tcp . 80`;

describe("rules that somebody changes are written anew, he is named, and connections go on", () => {
	test.each([
		["flush ruleset"],
		["delete table ip fairlead"],
		["delete table ip6 fairlead"],
		["flush chain ip fairlead prerouting"],
		["flush chain ip fairlead prerouting; delete chain ip fairlead prerouting"],
		[
			"flush map ip fairlead balance; flush chain ip fairlead lb-2; delete chain ip fairlead lb-2",
		],
		["flush map ip fairlead services"],
		[`delete element ip fairlead services { ${element} }`],
		[`delete element ip fairlead endpoints { ${element} . 0x00000001 }`],
		[
			`delete element ip fairlead endpoints { ${element} . 0x00000001 }; add element ip fairlead endpoints { ${element} . 0x00000001 : 10.244.2.2 . 8080 }`,
		],
		["add element ip fairlead held { 192.0.2.10 }"],
		["insert rule ip fairlead prerouting tcp dport 80 drop"],
		[
			"add chain ip fairlead theirs { type filter hook prerouting priority -300; policy drop; }",
		],
		[
			"chain ip fairlead prerouting { type nat hook prerouting priority -110; policy drop; }",
		],
		["add table ip fairlead { flags dormant; }"],
	])("nft '%s'", async (fault) => {
		const before = nft("list", "ruleset");
		const conversations = (["TCP", "UDP"] as const).map((protocol) =>
			world.converse("outside", protocol, clusterIP, 80),
		);
		const answers = await Promise.all(conversations.map((each) => each.say()));
		for (const answer of answers) expect(served).toContainEqual(answer);
		const told = once(syncs, "told");
		nft(fault);
		await told;
		await once(syncs, "synced");
		expect(withoutClients(nft("list", "ruleset"))).toBe(withoutClients(before));
		expect(await Promise.all(conversations.map((each) => each.say()))).toEqual(
			answers,
		);
		expect(served).toContainEqual(
			await world
				.ask("pod-3", "TCP", clusterIP, 80)
				.answer.then((answer) => ({ ...(answer as object), saw: "node" })),
		);
		for (const each of conversations) each.close();
		expect(incidents).toEqual([
			{
				reason: "RulesRepaired",
				note: expect.stringMatching(
					/^somebody else changed Fairlead's rules \(nft \(pid \d+\) changed table fairlead\); they are written anew$/,
				) as string,
			},
		]);
	});
});

/** A listing without who was remembered, for how long. */
function withoutClients(listing: string): string {
	return listing.replace(
		/(map affinity \{[^}]*?comment [^\n]*\n)(\t\telements = \{[^}]*\}\n)/g,
		"$1",
	);
}

describe("beside tables of others", () => {
	/** More than the watch may keep. */
	const crowd = (chains: number) =>
		[
			"add table ip crowd",
			...Array.from(
				{ length: chains },
				(_, index) =>
					`add chain ip crowd c${index}\nadd rule ip crowd c${index} ip daddr 192.0.2.${index % 250} counter`,
			),
		].join("\n");

	/** What tells one writing of our tables from the next. */
	const ours = () => nft("-a", "list", "tables");

	afterEach(() => {
		nftScript("add table ip crowd; delete table ip crowd");
		backend.drift(loop.program);
	});

	test("that come and go, large as they may be, ours are read back and left as they are", () => {
		const before = ours();
		nftScript(crowd(6_000));
		expect(backend.drift()).toBe(
			"more was changed in nftables than could be followed",
		);
		expect(backend.drift(loop.program)).toBeUndefined();
		expect(backend.drift()).toBeUndefined();
		nftScript("delete table ip crowd");
		expect(backend.drift(loop.program)).toBeUndefined();
		expect(ours()).toBe(before);
		expect(incidents).toEqual([]);
	});

	test("of our name but in another family, theirs may be changed as they like", () => {
		nft(
			"add table inet fairlead { chain c { type filter hook input priority 0; }; }",
		);
		nft("delete table inet fairlead");
		expect(backend.drift()).toBeUndefined();
	});

	test.each([
		[
			`delete element ip fairlead services { ${element} }`,
			"services in table ip fairlead has other elements",
		],
		[
			`delete element ip fairlead services { ${element} }\nadd element ip fairlead services { ${element} : 0x00000001 }`,
			"services in table ip fairlead has other elements",
		],
		[
			"flush set ip6 fairlead pods\nadd element ip6 fairlead pods { 2001:db8::/32 }",
			"pods in table ip6 fairlead has other elements",
		],
		[
			"flush map ip fairlead balance\nadd element ip fairlead balance { 0x00000002 : goto refuse }",
			"balance in table ip fairlead has other elements",
		],
		[
			"add rule ip fairlead refuse counter",
			"table ip fairlead has other chains, rules or sets",
		],
		[
			"flush chain ip fairlead refuse",
			"table ip fairlead has other chains, rules or sets",
		],
		[
			"flush chain ip fairlead refuse\nadd rule ip fairlead refuse drop",
			"table ip fairlead has other chains, rules or sets",
		],
		[
			"add chain ip fairlead theirs { type filter hook input priority 0; policy drop; }",
			"table ip fairlead has other chains",
		],
		[
			"chain ip fairlead output { type nat hook output priority -110; policy drop; }",
			"a chain of table ip fairlead has another policy",
		],
		[
			"add table ip fairlead { flags dormant; }",
			"table ip fairlead has other flags",
		],
		["delete table ip fairlead", "cannot read table ip fairlead: ENOENT"],
	])(
		"'%s' amid more than could be followed is found by reading back, and repaired",
		async (fault, difference) => {
			nftScript(`${crowd(6_000)}\n${fault}`);
			const told = backend.drift(loop.program);
			expect(told).toContain(difference);
			expect(told).toMatch(
				/^more was changed in nftables than could be followed: /,
			);
			// The loop looks for itself, and hears the same.
			await once(syncs, "synced");
			expect(backend.drift()).toBeUndefined();
			expect(served).toContainEqual(
				await world.ask("outside", "TCP", clusterIP, 80).answer,
			);
			expect(incidents.map(({ reason }) => reason)).toEqual(["RulesRepaired"]);
		},
	);

	test("10,000 chains of others are left as they are, and no change of ours reads any of them", () => {
		const asked = () => {
			const exchange = jest.spyOn(NetlinkSocket.prototype, "exchange");
			const frontend = [...loop.program.frontends.values()][0];
			if (!frontend) throw new Error("nothing is served");
			const { endpoints } = frontend;
			const fewer = { ...frontend, endpoints: endpoints.slice(0, 1) };
			backend.apply({
				frontends: [{ before: frontend, after: fewer }],
				held: [],
			});
			backend.apply({
				frontends: [{ before: fewer, after: frontend }],
				held: [],
			});
			backend.replace(loop.program);
			const heard = exchange.mock.results.map(({ value }) => {
				const { replies } = value as ReturnType<NetlinkSocket["exchange"]>;
				return replies.filter(({ type }) => type >> 8 === NFNL_SUBSYS_NFTABLES)
					.length;
			});
			exchange.mockRestore();
			return heard;
		};
		backend.replace(loop.program);
		// Whoever was remembered at what is taken away here is forgotten with the first time.
		asked();
		const alone = asked();
		nftScript(crowd(10_000));
		expect(backend.drift(loop.program)).toBeUndefined();
		const listed = nft("list", "table", "ip", "crowd");
		expect(asked()).toEqual(alone);
		expect(nft("list", "table", "ip", "crowd")).toBe(listed);
		expect(incidents).toEqual([]);
	});
});

test("a kernel without something we need is told by the name of what is missing, and the rules stay as they were", () => {
	backend.replace(loop.program);
	const before = nft("list", "ruleset");
	const exchange = Reflect.get(
		NetlinkSocket.prototype,
		"exchange",
	) as NetlinkSocket["exchange"];
	// The kernel here has everything: ask it for an expression that no kernel has, in the place of one that some lack.
	const lacking = jest
		.spyOn(NetlinkSocket.prototype, "exchange")
		.mockImplementation(function (this: NetlinkSocket, datagram, what) {
			const bytes = Buffer.from(datagram);
			for (
				let at = bytes.indexOf("numgen\0");
				at >= 0;
				at = bytes.indexOf("numgen\0", at + 1)
			)
				bytes.write("nomgen", at);
			return exchange.call(this, bytes, what);
		});
	try {
		expect(() => backend.replace(loop.program)).toThrow(
			"this kernel's nf_tables has no expression numgen: cannot add a rule to chain lb-2 of table ip fairlead",
		);
	} finally {
		lacking.mockRestore();
	}
	expect(withoutClients(nft("list", "ruleset"))).toBe(withoutClients(before));
	backend.replace(loop.program);
});
