import { constants } from "node:os";
import { jest } from "@jest/globals";
import { failure } from "../../operator/kernel/libc.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { NetlinkSocket } from "../../operator/kernel/netlink.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import {
	type Frontend,
	frontendKey,
	type Program,
} from "../../operator/model/rules/program.ts";
import { diff } from "../../operator/model/rules/program-change.ts";
import { nftIn, nftScriptIn } from "../support/nft-listing.ts";

// A ceiling for a machine that is busy with other things: none of these takes two seconds on a quiet one.
jest.setTimeout(60_000);

let namespace: NetworkNamespace;
let backend: NftablesBackend;

beforeEach(() => {
	namespace = createNetworkNamespace();
	backend = new NftablesBackend(namespace, { watchBytes: 1 << 18 });
});

afterEach(() => {
	jest.restoreAllMocks();
	backend.close();
	namespace.close();
});

/** Ports from 1000 on, and 80, which every change leaves as it is. */
function program(ports: number): Program {
	const frontends = [
		80,
		...Array.from({ length: ports }, (_, n) => 1000 + n),
	].map(
		(port): Frontend => ({
			kind: "LoadBalancer",
			family: "IPv4",
			address: "203.0.113.10",
			protocol: "TCP",
			port,
			service: "shop/web",
			portName: "",
			endpoints: [{ address: "10.244.1.2", port: 8080, local: true }],
			whenEmpty: "reject",
			masquerade: "always",
		}),
	);
	return {
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held: new Map(),
		podCidrs: [],
		masqueradeAll: false,
	};
}

const before = program(1);
/** More than is written with the ear at the kernel. */
const after = program(2_000);

const edits = {
	"of our table": {
		commands: "delete element ip fairlead services { 203.0.113.10 . tcp . 80 }",
		harms: true,
	},
	"of a table of their own": {
		commands: "add table ip theirs; add chain ip theirs c",
		harms: false,
	},
};

const nft = (commands: string) => nftScriptIn(namespace, commands);

/** Does something once, right before the kernel is sent something that fits. */
function before1st(
	method: "exchange" | "leave",
	fits: (first: unknown) => boolean,
	work: () => void,
): () => boolean {
	const real = NetlinkSocket.prototype[method] as (
		this: NetlinkSocket,
		...args: unknown[]
	) => unknown;
	let done = false;
	jest
		.spyOn(NetlinkSocket.prototype, method as "exchange")
		.mockImplementation(function (this: NetlinkSocket, ...args: unknown[]) {
			if (!done && fits(args[0])) {
				done = true;
				work();
			}
			return real.apply(this, args) as ReturnType<NetlinkSocket["exchange"]>;
		});
	return () => done;
}

const isLarge = (datagram: unknown) =>
	(datagram as Uint8Array).length > 1 << 16;

/** More than the watch may keep. */
const crowd = [
	"add table ip crowd",
	...Array.from({ length: 6_000 }, (_, n) => `add chain ip crowd c${n}`),
].join("\n");

describe.each(Object.entries(edits))(
	"an edit by others, %s, amid a large change of ours",
	(_what, { commands, harms }) => {
		test.each([
			[
				"in the moment before nobody listens",
				() =>
					before1st(
						"leave",
						() => true,
						() => nft(commands),
					),
			],
			[
				"in the moment before it is sent",
				() => before1st("exchange", isLarge, () => nft(commands)),
			],
			[
				"among more than could be followed",
				() => {
					nft(`${crowd}\n${commands}`);
					return () => true;
				},
			],
		])("%s, is found by the next look", (_when, arrange) => {
			backend.replace(before);
			const happened = arrange();
			let refused: unknown;
			try {
				backend.apply(diff(before, after));
			} catch (error) {
				refused = error;
			}
			expect(happened()).toBe(true);
			if (harms) {
				expect(backend.drift(after)).toEqual(expect.any(String));
				backend.replace(after);
			} else {
				expect(refused).toBeUndefined();
			}
			expect(backend.drift(after)).toBeUndefined();
			expect(backend.drift()).toBeUndefined();
			expect(
				nftIn(
					namespace,
					"get",
					"element",
					"ip",
					"fairlead",
					"services",
					"{ 203.0.113.10 . tcp . 80 }",
				),
			).toContain("shop/web");
		});
	},
);

test("a large change of ours that nobody disturbs leaves nothing to doubt", () => {
	backend.replace(before);
	backend.apply(diff(before, after));
	expect(backend.drift()).toBeUndefined();
	backend.apply(diff(after, before));
	expect(backend.drift()).toBeUndefined();
});

test("an edit by others after a large change of ours is heard, and who made it", () => {
	backend.replace(before);
	backend.apply(diff(before, after));
	nft(edits["of our table"].commands);
	expect(backend.drift()).toMatch(/^nft \(pid \d+\) changed table fairlead$/);
});

describe("where it cannot be seen what others do", () => {
	const noMemory = (what: string) => () => {
		throw failure(what, constants.errno.ENOBUFS);
	};

	test("because nobody can listen any more, the rules are in force, and the next look says what failed until all is written anew", () => {
		backend.replace(before);
		jest
			.spyOn(NetlinkSocket.prototype, "join")
			.mockImplementationOnce(noMemory("join netlink group 7"));
		backend.replace(after);
		for (const look of [
			() => backend.drift(after),
			() => backend.apply(diff(after, before)),
		])
			expect(look).toThrow("cannot join netlink group 7: ENOBUFS");
		expect(
			nftIn(namespace, "list", "map", "ip", "fairlead", "services"),
		).toContain("2999");
		backend.replace(before);
		expect(backend.drift()).toBeUndefined();
	});

	test("because our tables cannot be read back, the next look says what failed, and looks again", () => {
		backend.replace(before);
		nft(crowd);
		const request = jest
			.spyOn(NetlinkSocket.prototype, "request")
			.mockImplementation(noMemory("list sets"));
		expect(() => backend.drift(before)).toThrow("cannot list sets: ENOBUFS");
		request.mockRestore();
		expect(backend.drift()).toBe(
			"more was changed in nftables than could be followed",
		);
		expect(backend.drift(before)).toBeUndefined();
	});
});
