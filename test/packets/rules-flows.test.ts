import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { jest } from "@jest/globals";
import type { IPFamily } from "../../operator/api/core.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import {
	type Frontend,
	frontendKey,
	type Program,
} from "../../operator/model/rules/program.ts";
import { eventually } from "../support/eventually.ts";
import { nftIn } from "../support/nft-listing.ts";
import { families, pods } from "../support/packet-oracle.ts";
import {
	type Answer,
	type Conversation,
	createPacketWorld,
	type PacketWorld,
	type PlaceName,
	SERVER_PORT,
} from "../support/packet-world.ts";

// A ceiling for a machine that is busy with other things: none of these takes five seconds on a quiet one.
jest.setTimeout(120_000);

const writer = fileURLToPath(
	new URL("../support/restless-writer.ts", import.meta.url),
);

let world: PacketWorld;
let backend: NftablesBackend;

beforeEach(async () => {
	world = await createPacketWorld();
	backend = new NftablesBackend(world.namespaceOf("node"));
});

afterEach(async () => {
	backend.close();
	await world.close();
});

const addresses: Record<IPFamily, string> = {
	IPv4: "203.0.113.10",
	IPv6: "2001:db8:113::10",
};
const protocols = ["TCP", "UDP"] as const;

/** The same Service in both families and over both transports. */
function program(
	names: readonly PlaceName[],
	more: Partial<Frontend> = {},
): Program {
	const frontends = families.flatMap((family) =>
		protocols.map(
			(protocol): Frontend => ({
				kind: "LoadBalancer",
				family,
				address: addresses[family],
				protocol,
				port: 80,
				service: "default/web",
				portName: protocol.toLowerCase(),
				endpoints: names.map((name) => ({
					address: world.addressOf(name, family),
					port: SERVER_PORT,
					local: true,
				})),
				whenEmpty: "reject",
				masquerade: "always",
				...more,
			}),
		),
	);
	return {
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held: new Map(),
		podCidrs: ["10.244.0.0/16", "2001:db8:244::/48"],
		masqueradeAll: false,
	};
}

function by(answer: Answer): string {
	return typeof answer === "object" && "by" in answer
		? answer.by
		: JSON.stringify(answer);
}

const ask = async (
	family: IPFamily,
	protocol: (typeof protocols)[number],
): Promise<string> =>
	by(await world.ask("outside", protocol, addresses[family], 80).answer);

describe.each([
	["IPv4", "UDP"],
	["IPv6", "TCP"],
] as const)("new flows over %s, %s", (family, protocol) => {
	/** How far the share of an endpoint is from its due, in standard deviations; the furthest. */
	async function furthest(flows: number): Promise<number> {
		const shares = new Map<string, number>(pods.map((pod) => [pod, 0]));
		for (let done = 0; done < flows; done += 50) {
			const answers = Array.from({ length: 50 }, () => ask(family, protocol));
			for (const pod of await Promise.all(answers))
				shares.set(pod, (shares.get(pod) ?? 0) + 1);
		}
		expect([...shares.keys()]).toEqual([...pods]);
		const due = flows / pods.length;
		const deviation = Math.sqrt(due * (1 - 1 / pods.length));
		return Math.max(
			...[...shares.values()].map((share) => Math.abs(share - due) / deviation),
		);
	}

	test("are shared among the endpoints within three standard deviations of evenly", async () => {
		backend.replace(program(pods));
		const rounds: number[] = [];
		for (let round = 0; round < 7; round++) rounds.push(await furthest(150));
		// A fair draw is outside in one round of 123, so that the middle of seven is outside once in six million runs.
		const middle = rounds.sort((a, b) => a - b)[3];
		expect(middle).toBeLessThanOrEqual(3);
	});
});

describe("a client that is remembered", () => {
	const sticky = (names: readonly PlaceName[], affinitySeconds = 10800) =>
		program(names, { affinitySeconds });

	const always = async (expected: string) => {
		for (let call = 0; call < 10; call++)
			for (const family of families)
				expect(await ask(family, "TCP")).toBe(expected);
	};

	/** Both families' clients at the same endpoint. */
	async function remembered(): Promise<PlaceName> {
		backend.replace(sticky(["pod-2"]));
		for (const family of families)
			expect(await ask(family, "TCP")).toBe("pod-2");
		return "pod-2";
	}

	test("is led to the same endpoint after all rules are written anew, and after a restart of the agent", async () => {
		const endpoint = await remembered();
		backend.replace(sticky(pods));
		await always(endpoint);
		backend.close();
		backend = new NftablesBackend(world.namespaceOf("node"));
		backend.replace(sticky(pods));
		await always(endpoint);
		expect(backend.drift()).toBeUndefined();
	});

	test("is led to another if its endpoint went away while no agent ran", async () => {
		await remembered();
		backend.close();
		backend = new NftablesBackend(world.namespaceOf("node"));
		backend.replace(sticky(["pod-1"]));
		await always("pod-1");
	});

	test("is balanced anew if affinity was turned off while no agent ran", async () => {
		await remembered();
		backend.replace(program(pods));
		const seen = new Set<string>();
		// One of three 200 times in a row: not in this universe.
		for (let call = 0; call < 200; call++) seen.add(await ask("IPv4", "TCP"));
		expect(seen.size).toBeGreaterThan(1);
	});

	test("is remembered no longer than the Service says, even if the rules are written anew meanwhile", async () => {
		backend.replace(sticky(["pod-2"], 1));
		const list = () =>
			nftIn(
				world.namespaceOf("node"),
				"list",
				"map",
				"ip",
				"fairlead",
				"affinity",
			);
		// It is over a second after each answer, which may be before anybody has looked.
		await eventually(
			async () => {
				expect(await ask("IPv4", "TCP")).toBe("pod-2");
				return list();
			},
			(listed) => expect(listed).toMatch(/192\.0\.2\.10 .*expires/),
		);
		backend.replace(sticky(pods, 1));
		// One of three, until it is another: with every look a chance of two in three.
		let answer = "pod-2";
		while (answer === "pod-2") {
			await eventually(list, (listed) =>
				expect(listed).not.toContain("192.0.2.10"),
			);
			answer = await ask("IPv4", "TCP");
		}
		expect(["pod-1", "pod-3"]).toContain(answer);
	});
});

describe("established connections, TCP and UDP, IPv4 and IPv6, from outside, from pods and from the node itself", () => {
	let conversations: Conversation[];
	let began: string[];

	async function converse(): Promise<void> {
		conversations = families.flatMap((family) =>
			protocols.flatMap((protocol) =>
				(["outside", "pod-1", "pod-3", "node"] as const).map((from) =>
					world.converse(from, protocol, addresses[family], 80),
				),
			),
		);
		began = await sayAll();
		for (const answer of began) expect(pods).toContain(answer);
	}

	const sayAll = async () =>
		(await Promise.all(conversations.map((each) => each.say()))).map(by);

	afterEach(() => {
		for (const each of conversations) each.close();
	});

	test("live on through full writes of all rules", async () => {
		backend.replace(program(pods));
		await converse();
		for (let round = 0; round < 5; round++) {
			backend.replace(program(pods));
			expect(await sayAll()).toEqual(began);
		}
	});

	test("live on while rules are written anew in their midst", async () => {
		const { frontends } = program(pods);
		backend.replace(program(pods));
		await converse();
		const writing = world
			.namespaceOf("node")
			.run(() =>
				spawn(
					process.execPath,
					["--disable-warning=ExperimentalWarning", writer, "50"],
					{ stdio: ["pipe", "ignore", "inherit"] },
				),
			);
		let written: unknown;
		const ended = once(writing, "exit").then(([code]) => {
			written = code;
		});
		writing.stdin?.end(JSON.stringify([...frontends.values()]));
		do expect(await sayAll()).toEqual(began);
		while (written === undefined);
		await ended;
		expect(written).toBe(0);
		expect(backend.drift()).toMatch(/changed table fairlead/);
	});

	test("live on through the restart of an agent", async () => {
		backend.replace(program(pods));
		await converse();
		backend.close();
		expect(await sayAll()).toEqual(began);
		backend = new NftablesBackend(world.namespaceOf("node"));
		expect(await sayAll()).toEqual(began);
		backend.replace(program(pods));
		expect(await sayAll()).toEqual(began);
	});

	test("live on through an upgrade from rules of another layout under the same names", async () => {
		spawnNft(["ip", "ip6"].map(earlierLayout).join("\n"));
		await converse();
		backend.replace(program(pods));
		expect(await sayAll()).toEqual(began);
		const now = nftIn(world.namespaceOf("node"), "list", "ruleset");
		expect(now).not.toContain("earlier");
		for (const family of families)
			expect(pods).toContain(await ask(family, "TCP"));
		backend.close();
		backend = new NftablesBackend(world.namespaceOf("node"));
		backend.replace(program(pods));
		expect(await sayAll()).toEqual(began);
		expect(nftIn(world.namespaceOf("node"), "list", "ruleset")).toBe(now);
	});

	/** What an agent of another version may have left: other chains, other hooks, sets of our names with other types. */
	function earlierLayout(ip: string): string {
		const family = ip === "ip" ? "IPv4" : "IPv6";
		const elements = protocols
			.map(
				(each) =>
					`${addresses[family]} . ${each.toLowerCase()} . 80 : goto earlier-web`,
			)
			.join(", ");
		const ends = pods
			.map(
				(pod, slot) =>
					`${slot} : ${world.addressOf(pod, family)} . ${SERVER_PORT}`,
			)
			.join(", ");
		return `
table ${ip} fairlead {
	map services { typeof ${ip} daddr . meta l4proto . th dport : verdict; elements = { ${elements} }; }
	set affinity { type inet_service; timeout 1h; elements = { 80 }; }
	chain earlier-web { meta l4proto { tcp, udp } dnat ${ip} to numgen random mod 3 map { ${ends} } ; }
	chain prerouting { type nat hook prerouting priority -95; ${ip} daddr . meta l4proto . th dport vmap @services; }
	chain output { type nat hook output priority -95; ${ip} daddr . meta l4proto . th dport vmap @services; }
	chain earlier-postrouting { type nat hook postrouting priority 95; ct status dnat masquerade; }
}`;
	}

	function spawnNft(commands: string): void {
		const { status, stderr } = world
			.namespaceOf("node")
			.run(() =>
				spawnSync("nft", ["-f", "-"], { input: commands, encoding: "utf8" }),
			);
		if (status !== 0) throw new Error(stderr);
	}
});
