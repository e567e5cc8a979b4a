import { spawnSync } from "node:child_process";
import { jest } from "@jest/globals";
import { RulesWriter } from "../../operator/agent/rules/rules-writer.ts";
import { FairleadError } from "../../operator/errors.ts";
import { NetlinkSocket } from "../../operator/kernel/netlink.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
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

beforeEach(async () => {
	world = await createPacketWorld();
	backend = new NftablesBackend(world.namespaceOf("node"));
});

afterEach(async () => {
	backend.close();
	await world.close();
});

const address = "203.0.113.10";

function service(
	pods: readonly PlaceName[],
	more: Partial<Frontend> = {},
): Frontend {
	return {
		kind: "LoadBalancer",
		family: "IPv4",
		address,
		protocol: "TCP",
		port: 80,
		service: "default/web",
		portName: "http",
		endpoints: pods.map(endpoint),
		whenEmpty: "reject",
		masquerade: "always",
		...more,
	};
}

function endpoint(pod: PlaceName): Backend {
	return {
		address: world.addressOf(pod, "IPv4"),
		port: SERVER_PORT,
		local: true,
	};
}

function program(...frontends: Frontend[]): Program {
	return {
		frontends: new Map(
			frontends.map((frontend) => [frontendKey(frontend), frontend]),
		),
		held: new Map([[address, { address, echo: true }]]),
		podCidrs: ["10.244.0.0/16"],
		masqueradeAll: false,
	};
}

function by(answer: Answer): string {
	return typeof answer === "object" && "by" in answer
		? answer.by
		: JSON.stringify(answer);
}

function nft(...words: string[]): string {
	const { status, stdout, stderr } = world
		.namespaceOf("node")
		.run(() => spawnSync("nft", words, { encoding: "utf8" }));
	if (status !== 0) throw new Error(stderr);
	return stdout;
}

const pods = ["pod-1", "pod-2", "pod-3"] as const;

test("every endpoint gets its share of new flows", async () => {
	backend.replace(program(service(pods, { protocol: "UDP" })));
	const shares = new Map<string, number>(pods.map((pod) => [pod, 0]));
	for (let round = 0; round < 6; round++) {
		const questions = Array.from({ length: 50 }, () =>
			world.ask("outside", "UDP", address, 80),
		);
		for (const { answer } of questions) {
			const pod = by(await answer);
			shares.set(pod, (shares.get(pod) ?? 0) + 1);
		}
	}
	// 100 each with a standard deviation of 8: six of them are met once in 500 million runs.
	expect([...shares.keys()]).toEqual([...pods]);
	for (const share of shares.values()) {
		expect(share).toBeGreaterThan(100 - 6 * 8);
		expect(share).toBeLessThan(100 + 6 * 8);
	}
});

test("endpoints come and go, and new connections follow at once", async () => {
	const states = [
		service(["pod-1"]),
		service(["pod-1", "pod-2"]),
		service(["pod-2"]),
		service([]),
		service(["pod-3"]),
	];
	backend.replace(program());
	let before: Frontend | undefined;
	for (const after of states) {
		backend.apply({
			frontends: [before ? { before, after } : { after }],
			held: [],
		});
		before = after;
		const answers = new Set<string>();
		for (let call = 0; call < 20; call++)
			answers.add(by(await world.ask("outside", "TCP", address, 80).answer));
		const expected = after.endpoints.map(
			({ address: pod }) =>
				pods.find((name) => world.addressOf(name, "IPv4") === pod) ?? pod,
		);
		for (const answer of answers)
			expect(expected.length > 0 ? expected : ['"refused"']).toContain(answer);
	}
});

test("connections live on when the rules are replaced, and when their endpoint leaves the Service", async () => {
	const before = service(["pod-1"]);
	backend.replace(program(before));
	const connection = world.converse("outside", "TCP", address, 80);
	expect(by(await connection.say())).toBe("pod-1");
	backend.replace(program(before));
	expect(by(await connection.say())).toBe("pod-1");
	backend.apply({
		frontends: [{ before, after: service(["pod-2"]) }],
		held: [],
	});
	expect(by(await connection.say())).toBe("pod-1");
	expect(by(await world.ask("outside", "TCP", address, 80).answer)).toBe(
		"pod-2",
	);
});

describe("a UDP client that keeps its port", () => {
	const udp = (names: readonly PlaceName[]) =>
		service(names, { protocol: "UDP" });

	test("is answered by another endpoint when its own is gone", async () => {
		backend.replace(program(udp(["pod-1"])));
		const client = world.converse("outside", "UDP", address, 80);
		expect(by(await client.say())).toBe("pod-1");
		backend.apply({
			frontends: [{ before: udp(["pod-1"]), after: udp(["pod-2"]) }],
			held: [],
		});
		expect(by(await client.say())).toBe("pod-2");
	});

	test("stays with an endpoint that terminates while that still serves, however often rules are written", async () => {
		const [leaving] = udp(["pod-1"]).endpoints;
		if (!leaving) throw new Error("no endpoint");
		const after = { ...udp(["pod-2"]), lasting: [leaving] };
		backend.replace(program(udp(["pod-1"])));
		const client = world.converse("outside", "UDP", address, 80);
		expect(by(await client.say())).toBe("pod-1");
		backend.apply({ frontends: [{ before: udp(["pod-1"]), after }], held: [] });
		expect(by(await client.say())).toBe("pod-1");
		backend.replace(program(after));
		expect(by(await client.say())).toBe("pod-1");
		backend.apply({
			frontends: [{ before: after, after: udp(["pod-2"]) }],
			held: [],
		});
		expect(by(await client.say())).toBe("pod-2");
	});

	test("is served by the new rules although conntrack cannot be read, and led right when they are written again", async () => {
		const troubles: Error[] = [];
		backend.onTrouble = (error) => troubles.push(error);
		backend.replace(program(udp(["pod-1"])));
		const client = world.converse("outside", "UDP", address, 80);
		expect(by(await client.say())).toBe("pod-1");
		const request = Reflect.get(
			NetlinkSocket.prototype,
			"request",
		) as NetlinkSocket["request"];
		const broken = jest
			.spyOn(NetlinkSocket.prototype, "request")
			.mockImplementation(function (this: NetlinkSocket, messages, what) {
				if (what.includes("conntrack"))
					throw new FairleadError("KernelFailed", `cannot ${what}: ENOBUFS`);
				return request.call(this, messages, what);
			});
		backend.apply({
			frontends: [{ before: udp(["pod-1"]), after: udp(["pod-2"]) }],
			held: [],
		});
		backend.replace(program(udp(["pod-2"])));
		broken.mockRestore();
		expect(troubles.map(({ message }) => message)).toEqual([
			"cannot count conntrack's flows: ENOBUFS",
			"cannot count conntrack's flows: ENOBUFS",
		]);
		const another = world.converse("outside", "UDP", address, 80);
		expect(by(await another.say())).toBe("pod-2");
		expect(by(await client.say())).toBe("pod-1");
		backend.replace(program(udp(["pod-2"])));
		expect(by(await client.say())).toBe("pod-2");
	});

	test("stays where it is while others come and go", async () => {
		backend.replace(program(udp(["pod-1"])));
		const client = world.converse("outside", "UDP", address, 80);
		expect(by(await client.say())).toBe("pod-1");
		backend.apply({
			frontends: [
				{ before: udp(["pod-1"]), after: udp(["pod-1", "pod-2", "pod-3"]) },
			],
			held: [],
		});
		backend.apply({
			frontends: [
				{
					before: udp(["pod-1", "pod-2", "pod-3"]),
					after: udp(["pod-1", "pod-3"]),
				},
			],
			held: [],
		});
		for (let call = 0; call < 5; call++)
			expect(by(await client.say())).toBe("pod-1");
	});

	test("is refused when the last endpoint is gone and answered when there is one again", async () => {
		backend.replace(program(udp(["pod-1"])));
		const client = world.converse("outside", "UDP", address, 80);
		expect(by(await client.say())).toBe("pod-1");
		backend.apply({
			frontends: [{ before: udp(["pod-1"]), after: udp([]) }],
			held: [],
		});
		expect(await client.say()).toBe("refused");
		backend.apply({
			frontends: [{ before: udp([]), after: udp(["pod-2"]) }],
			held: [],
		});
		expect(by(await client.say())).toBe("pod-2");
	});

	test("reaches a Service that was not there when it began", async () => {
		backend.replace({ ...program(), held: new Map() });
		const client = world.converse("outside", "UDP", "192.0.2.1", SERVER_PORT);
		expect(by(await client.say())).toBe("node");
		const after = udp(["pod-1"]);
		backend.apply({
			frontends: [
				{
					after: {
						...after,
						kind: "NodePort",
						address: "192.0.2.1",
						port: SERVER_PORT,
					},
				},
			],
			held: [],
		});
		expect(by(await client.say())).toBe("pod-1");
	});

	test("is refused when its Service goes away in the same go in which all rules are written", async () => {
		const writer = new RulesWriter(backend);
		writer.replace(program(udp(["pod-1"])));
		const client = world.converse("outside", "UDP", address, 80);
		expect(by(await client.say())).toBe("pod-1");
		writer.replace(program());
		expect(await client.say()).toBe("refused");
	});

	test("is led right when the rules are replaced after a restart", async () => {
		backend.replace(program(udp(["pod-1"])));
		const client = world.converse("outside", "UDP", address, 80);
		expect(by(await client.say())).toBe("pod-1");
		backend.close();
		backend = new NftablesBackend(world.namespaceOf("node"));
		backend.replace(program(udp(["pod-2"])));
		expect(by(await client.say())).toBe("pod-2");
	});
});

describe.each(["TCP", "UDP"] as const)(
	"with ClientIP affinity over %s",
	(protocol) => {
		const sticky = (names: readonly PlaceName[]) =>
			service(names, { protocol, affinitySeconds: 10800 });
		const ask = async (from: PlaceName) =>
			by(await world.ask(from, protocol, address, 80).answer);

		test("a client stays with its endpoint through changes of the others, and with another when it is gone", async () => {
			backend.replace(program(sticky(pods)));
			const first = await ask("outside");
			for (let call = 0; call < 20; call++)
				expect(await ask("outside")).toBe(first);
			const others = pods.filter((pod) => pod !== first);
			// It keeps its endpoint but not its slot.
			const fewer = [others[0] ?? first, first] as PlaceName[];
			backend.apply({
				frontends: [{ before: sticky(pods), after: sticky(fewer) }],
				held: [],
			});
			for (let call = 0; call < 20; call++)
				expect(await ask("outside")).toBe(first);
			backend.apply({
				frontends: [{ before: sticky(fewer), after: sticky(others) }],
				held: [],
			});
			const second = await ask("outside");
			expect(others).toContain(second);
			for (let call = 0; call < 20; call++)
				expect(await ask("outside")).toBe(second);
		});

		test("a client is balanced anew once the Service has no affinity any more", async () => {
			const before = sticky(pods);
			backend.replace(program(before));
			await ask("outside");
			backend.apply({
				frontends: [{ before, after: service(pods, { protocol }) }],
				held: [],
			});
			const seen = new Set<string>();
			// One of three 200 times in a row: not in this universe.
			for (let call = 0; call < 200; call++) seen.add(await ask("outside"));
			expect(seen.size).toBeGreaterThan(1);
		});
	},
);

describe("who changed the rules", () => {
	test("is nobody after our own writes, however large", () => {
		backend.replace(program(service(["pod-1"])));
		expect(backend.drift()).toBeUndefined();
		const many = Array.from({ length: 2000 }, (_, port) => ({
			after: service(pods, { port: 1000 + port }),
		}));
		backend.apply({ frontends: many, held: [] });
		expect(backend.drift()).toBeUndefined();
		backend.apply({
			frontends: many.slice(0, 10).map(({ after }) => ({ before: after })),
			held: [],
		});
		expect(backend.drift()).toBeUndefined();
	});

	test("is nobody when somebody changes another table", () => {
		backend.replace(program(service(["pod-1"])));
		nft("add table ip other { chain c { accept; }; }");
		nft("delete table ip other");
		expect(backend.drift()).toBeUndefined();
	});

	test.each([
		["flush ruleset"],
		["delete table ip6 fairlead"],
		["add element ip fairlead echo { 192.0.2.200 }"],
		["flush chain ip fairlead output"],
	])(
		"is told by name after `nft %s`; a change is refused, and replacing repairs",
		async (command) => {
			backend.replace(program(service(["pod-1"])));
			const untouched = nft("list", "ruleset");
			nft(command);
			expect(backend.drift()).toMatch(
				/^nft \(pid \d+\) changed table fairlead$/,
			);
			const before = service(["pod-1"]);
			expect(() =>
				backend.apply({
					frontends: [{ before, after: service([]) }],
					held: [],
				}),
			).toThrow(/nft \(pid \d+\) changed table fairlead/);
			backend.replace(program(before));
			expect(backend.drift()).toBeUndefined();
			expect(nft("list", "ruleset")).toBe(untouched);
			expect(by(await world.ask("outside", "TCP", address, 80).answer)).toBe(
				"pod-1",
			);
		},
	);

	test("is told of a backend that has written nothing yet", () => {
		expect(backend.drift()).toBe("nothing has been written yet");
	});
});

test("a change that does not fit what is there is refused whole, names the element, and calls for a replacement", () => {
	backend.replace(program(service(["pod-1"])));
	const before = nft("list", "ruleset");
	expect(() =>
		backend.apply({
			frontends: [
				{ after: service(["pod-2"], { port: 81 }) },
				{ before: service(["pod-1"], { port: 99 }) },
			],
			held: [],
		}),
	).toThrow(
		/cannot delete an element of services in table ip fairlead, .*0063.*: ENOENT/,
	);
	expect(nft("list", "ruleset")).toBe(before);
	expect(backend.drift()).toBe("a change was refused");
});

test("removing the rules takes away our tables and nobody else's", () => {
	nft("add table ip other { chain c { accept; }; }");
	backend.replace(program(service(["pod-1"])));
	backend.remove();
	expect(nft("list", "tables")).toBe("table ip other\n");
	backend.remove();
	expect(nft("list", "tables")).toBe("table ip other\n");
});

test("two backends with tables of their own do not get in each other's way", async () => {
	const second = new NftablesBackend(world.namespaceOf("node"), {
		table: "second",
	});
	backend.replace(program(service(["pod-1"])));
	second.replace({
		...program(service(["pod-2"], { address: "203.0.113.20" })),
		held: new Map(),
	});
	expect(backend.drift()).toBeUndefined();
	expect(second.drift()).toBeUndefined();
	expect(by(await world.ask("outside", "TCP", address, 80).answer)).toBe(
		"pod-1",
	);
	expect(by(await world.ask("outside", "TCP", "203.0.113.20", 80).answer)).toBe(
		"pod-2",
	);
	second.close();
});
