import { jest } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import type { IPFamily } from "../../operator/api/core.ts";
import { failure } from "../../operator/kernel/libc.ts";
import { NetlinkSocket } from "../../operator/kernel/netlink.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import {
	type Frontend,
	frontendKey,
	type Program,
} from "../../operator/model/rules/program.ts";
import { eventually } from "../support/eventually.ts";
import {
	type Answer,
	createPacketWorld,
	type PacketWorld,
	SERVER_PORT,
} from "../support/packet-world.ts";

// A ceiling for a machine that is busy with other things: none of these takes long on a quiet one.
jest.setTimeout(60_000);

const families: readonly IPFamily[] = ["IPv4", "IPv6"];
const protocols = ["TCP", "UDP"] as const;

/** Ours leads to pod-1, the other proxy's to pod-2. */
const balanced: Record<IPFamily, string> = {
	IPv4: "203.0.113.10",
	IPv6: "2001:db8:113::10",
};
const idle: Record<IPFamily, string> = {
	IPv4: "203.0.113.20",
	IPv6: "2001:db8:113::20",
};

/** Long enough that no pause of a busy machine is taken for the end of an agent that renews it in time. */
const AMPLE_MS = 600_000;
/** Short enough to wait for. */
const BRIEF_MS = 300;

let world: PacketWorld;
let backend: NftablesBackend | undefined;

beforeEach(async () => {
	world = await createPacketWorld();
});

afterEach(async () => {
	backend?.close();
	backend = undefined;
	await world.close();
});

function nft(input: string): string {
	const { stdout, stderr, status } = world
		.namespaceOf("node")
		.run(() => spawnSync("nft", ["-f", "-"], { input, encoding: "utf8" }));
	if (status !== 0) throw new Error(`nft: ${stderr}`);
	return stdout;
}

/** A proxy that serves the same addresses, and one that ours has no endpoints for, where kube-proxy has its hook. */
function otherProxy(): void {
	for (const family of families) {
		const [table, ip, bracket] =
			family === "IPv4"
				? ["ip", "ip", (address: string) => address]
				: ["ip6", "ip6", (address: string) => `[${address}]`];
		const to = bracket(world.addressOf("pod-2", family));
		nft(`table ${table} other {
			chain prerouting {
				type nat hook prerouting priority -100;
				${ip} daddr { ${balanced[family]}, ${idle[family]} } meta l4proto { tcp, udp } th dport 80 dnat to ${to}:${SERVER_PORT}
			}
		}`);
	}
}

function program(): Program {
	const frontends = families.flatMap((family) =>
		protocols.flatMap((protocol): Frontend[] =>
			[balanced, idle].map((address) => ({
				kind: "LoadBalancer",
				family,
				address: address[family],
				protocol,
				port: 80,
				service: address === balanced ? "default/web" : "default/idle",
				portName: "",
				endpoints:
					address === balanced
						? [
								{
									address: world.addressOf("pod-1", family),
									port: SERVER_PORT,
									local: true,
								},
							]
						: [],
				whenEmpty: "reject",
				masquerade: "always",
			})),
		),
	);
	return {
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held: new Map(
			families.map((family) => [
				balanced[family],
				{ address: balanced[family], echo: true },
			]),
		),
		podCidrs: ["10.244.0.0/16", "2001:db8:244::/48"],
		masqueradeAll: false,
	};
}

function started(guardMs: number): NftablesBackend {
	backend = new NftablesBackend(world.namespaceOf("node"), { guardMs });
	backend.replace(program());
	return backend;
}

const asked = (
	protocol: (typeof protocols)[number],
	host: string,
): Promise<Answer> => world.ask("outside", protocol, host, 80).answer;

/** By every family and transport. */
function everyAnswer(of: Record<IPFamily, string>): Promise<Answer[]> {
	return Promise.all(
		families.flatMap((family) =>
			protocols.map((protocol) => asked(protocol, of[family])),
		),
	);
}

const ours: Answer = { by: "pod-1", saw: "node" };
const theirs: Answer = { by: "pod-2", saw: "outside" };
const four = (answer: Answer) => Array<Answer>(4).fill(answer);

describe("rules that count only while their agent lives", () => {
	it("come before another proxy's as long as they are renewed", async () => {
		otherProxy();
		const alive = started(AMPLE_MS);
		expect(await everyAnswer(balanced)).toEqual(four(ours));
		alive.keepAlive?.();
		expect(await everyAnswer(balanced)).toEqual(four(ours));
		expect(alive.drift()).toBeUndefined();
	});

	it("give way to another proxy's when they are not, and cut no connection", async () => {
		otherProxy();
		const alive = started(AMPLE_MS);
		const held = families.flatMap((family) =>
			protocols.map((protocol) =>
				world.converse("outside", protocol, balanced[family], 80),
			),
		);
		const heldAnswers = () => Promise.all(held.map((each) => each.say()));
		expect(await heldAnswers()).toEqual(four(ours));
		alive.close();
		started(BRIEF_MS).close();
		backend = undefined;
		await eventually(
			() => everyAnswer(balanced),
			(answers) => expect(answers).toEqual(four(theirs)),
		);
		expect(await heldAnswers()).toEqual(four(ours));
	});

	it("count again as soon as an agent is back", async () => {
		otherProxy();
		started(BRIEF_MS).close();
		await eventually(
			() => everyAnswer(balanced),
			(answers) => expect(answers).toEqual(four(theirs)),
		);
		started(AMPLE_MS);
		expect(await everyAnswer(balanced)).toEqual(four(ours));
	});

	it("count again when they are renewed late", async () => {
		otherProxy();
		const late = started(BRIEF_MS);
		await eventually(
			() => everyAnswer(balanced),
			(answers) => expect(answers).toEqual(four(theirs)),
		);
		await eventually(
			() => {
				late.keepAlive?.();
				return everyAnswer(balanced);
			},
			(answers) => expect(answers).toEqual(four(ours)),
		);
		expect(late.drift()).toBeUndefined();
	});

	it("are put back, when they are stale, for no longer than they were said to be true", async () => {
		otherProxy();
		const first = started(AMPLE_MS);
		first.replace(program(), "stale");
		expect(await everyAnswer(balanced)).toEqual(four(ours));
		first.close();
		const second = started(BRIEF_MS);
		await eventually(
			() => {
				second.replace(program(), "stale");
				return everyAnswer(balanced);
			},
			(answers) => expect(answers).toEqual(four(theirs)),
		);
		expect(second.drift()).toBeUndefined();
	});

	it("say what failed when they cannot be renewed, and that nobody else changed them", () => {
		const alive = started(AMPLE_MS);
		const exchange = jest
			.spyOn(NetlinkSocket.prototype, "exchange")
			.mockImplementation((_datagram, what) => {
				throw failure(what, constants.errno.ENOBUFS);
			});
		try {
			expect(() => alive.keepAlive?.()).toThrow(
				"cannot change nftables: ENOBUFS",
			);
		} finally {
			exchange.mockRestore();
		}
		expect(alive.drift()).toBeUndefined();
	});

	it("keep another proxy from no frontend that only it serves", async () => {
		otherProxy();
		started(AMPLE_MS);
		expect(await everyAnswer(idle)).toEqual(four(theirs));
	});

	it("stop refusing ports of our addresses when nobody is left to say that they are ours", async () => {
		// Behind our refusals.
		nft(`table ip behind {
			counter passed { }
			chain prerouting {
				type filter hook prerouting priority -80;
				ip daddr ${balanced.IPv4} tcp dport 81 counter name passed
			}
		}`);
		const passed = () => /packets (\d+)/.exec(nft("list counters"))?.[1];
		started(AMPLE_MS);
		const port81 = () => world.ask("outside", "TCP", balanced.IPv4, 81);
		expect(await port81().answer).toBe("refused");
		expect(passed()).toBe("0");
		backend?.close();
		started(BRIEF_MS).close();
		backend = undefined;
		const asked: ReturnType<typeof port81>[] = [];
		await eventually(
			() => {
				asked.push(port81());
				return passed();
			},
			(count) => expect(count).not.toBe("0"),
		);
		for (const each of asked) each.abandon();
	});

	it("are found changed by somebody else as ever", async () => {
		const watched = started(AMPLE_MS);
		nft("flush set ip fairlead alive");
		expect(watched.drift()).toMatch(/nft \(pid \d+\) changed table fairlead/);
		watched.keepAlive?.();
		expect(watched.drift()).toMatch(/changed table fairlead/);
		watched.replace(program());
		expect(watched.drift()).toBeUndefined();
		expect(await everyAnswer(balanced)).toEqual(four(ours));
	});

	it("are listed by nft with the guard in front", () => {
		started(AMPLE_MS);
		const { stdout } = world.namespaceOf("node").run(() =>
			spawnSync("nft", ["list", "table", "ip", "fairlead"], {
				encoding: "utf8",
			}),
		);
		expect(stdout).toMatch(
			/chain prerouting \{\s+type nat hook prerouting priority (?:dstnat - 10|-110); policy accept;\s+meta nfproto @alive goto prerouting-alive\s+\}/,
		);
	});
});
