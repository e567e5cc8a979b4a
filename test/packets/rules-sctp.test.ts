import { jest } from "@jest/globals";
import type { IPFamily } from "../../operator/api/core.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import { setNetworkSettings } from "../../operator/kernel/sysctl.ts";
import {
	type Backend,
	type Frontend,
	frontendKey,
	type Program,
} from "../../operator/model/rules/program.ts";
import { eventually } from "../support/eventually.ts";
import { families, pods } from "../support/packet-oracle.ts";
import {
	createPacketWorld,
	type PacketWorld,
	type PlaceName,
} from "../support/packet-world.ts";
import { SctpSocket } from "../support/sctp-packets.ts";

// A ceiling for a machine that is busy with other things: none of these takes a second on a quiet one.
jest.setTimeout(60_000);

const PORT = 36_412;
const POD_PORT = 7_000;

let world: PacketWorld;

beforeAll(async () => {
	world = await createPacketWorld();
	// An association that nobody answers would be over in ten seconds, which a busy machine may need to ask again.
	setNetworkSettings(world.namespaceOf("node"), {
		"netfilter/nf_conntrack_sctp_timeout_closed": 600,
		"netfilter/nf_conntrack_sctp_timeout_cookie_wait": 600,
	});
});

afterAll(() => world?.close());

describe.each(families)("SCTP over %s", (family) => {
	let backend: NftablesBackend;
	const sockets: SctpSocket[] = [];
	let listeners: Map<PlaceName, SctpSocket>;
	let lastTag = 0;
	let lastPort = 40_000;

	beforeEach(() => {
		backend = new NftablesBackend(world.namespaceOf("node"));
		listeners = new Map(
			pods.map((pod) => [pod, new SctpSocket(world.namespaceOf(pod), family)]),
		);
	});

	afterEach(() => {
		backend.remove();
		backend.close();
		for (const socket of [...sockets.splice(0), ...listeners.values()])
			socket.close();
	});

	const address = { IPv4: "10.96.0.1", IPv6: "2001:db8:96::1" }[family];
	const endpoint = (pod: PlaceName): Backend => ({
		address: world.addressOf(pod, family),
		port: POD_PORT,
		local: pod !== "pod-3",
	});
	const frontend = (
		names: readonly PlaceName[],
		more: Partial<Frontend> = {},
	): Frontend => ({
		kind: "ClusterIP",
		family,
		address,
		protocol: "SCTP",
		port: PORT,
		service: "default/core",
		portName: "",
		endpoints: names.map(endpoint),
		whenEmpty: "reject",
		masquerade: "outside",
		...more,
	});
	const program = (...frontends: Frontend[]): Program => ({
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held: new Map(),
		podCidrs: ["10.244.0.0/16", "2001:db8:244::/48"],
		masqueradeAll: false,
	});

	/** One who asks from a port of his own, as often as he likes. */
	function clientOf(from: PlaceName, port = PORT) {
		const socket = new SctpSocket(world.namespaceOf(from), family, address);
		sockets.push(socket);
		const sourcePort = ++lastPort;
		return async (): Promise<string> => {
			const tag = ++lastTag;
			socket.ask(sourcePort, port, tag);
			return eventually(
				() => heardOf(tag) ?? answerTo(socket) ?? "nothing",
				(heard) => expect(heard).not.toBe("nothing"),
			);
		};
	}

	function answerTo(socket: SctpSocket): string | undefined {
		return socket.heard() === "refused" ? "refused" : undefined;
	}

	/** Which pod heard it, and whom it saw. */
	function heardOf(tag: number): string | undefined {
		for (const [pod, listener] of listeners)
			for (
				let heard = listener.heard();
				heard !== undefined;
				heard = listener.heard()
			) {
				if (heard === "refused" || heard.tag !== tag) continue;
				expect(heard.port).toBe(POD_PORT);
				return `${pod} sees ${placeOf(heard.from, family)}`;
			}
		return undefined;
	}

	test.each([
		["outside", "pod-2 sees node"],
		["node", "pod-2 sees node"],
		["pod-3", "pod-2 sees pod-3"],
		["pod-2", "pod-2 sees node"],
	] as const)("%s is led to the endpoint: %s", async (from, expected) => {
		backend.replace(program(frontend(["pod-2"])));
		expect(await clientOf(from)()).toBe(expected);
	});

	test("new associations are shared among the endpoints", async () => {
		backend.replace(program(frontend(pods)));
		const seen = new Set<string>();
		// Two of three 100 times in a row: once in 10^17 runs.
		for (let each = 0; each < 100; each++)
			seen.add(await clientOf("outside")());
		expect([...seen].sort()).toEqual(pods.map((pod) => `${pod} sees node`));
	});

	test("clients of a Service without endpoints, and at a port that nobody serves, are refused", async () => {
		backend.replace({
			...program(frontend([])),
			held: new Map([[address, { address, echo: false }]]),
		});
		expect(await clientOf("outside")()).toBe("refused");
		expect(await clientOf("pod-1", PORT + 1)()).toBe("refused");
		expect(await clientOf("node")()).toBe("refused");
	});

	test("a client is led to another endpoint when its own is gone, and is refused when that was the last", async () => {
		const states = [
			frontend(["pod-1"]),
			frontend(["pod-2"]),
			frontend([]),
			frontend(["pod-3"]),
		] as const;
		backend.replace(program(states[0]));
		const ask = clientOf("outside");
		expect(await ask()).toBe("pod-1 sees node");
		for (const [at, expected] of [
			[1, "pod-2 sees node"],
			[2, "refused"],
			[3, "pod-3 sees node"],
		] as const) {
			const [before, after] = [states[at - 1], states[at]];
			backend.apply({
				frontends: [{ ...(before && { before }), ...(after && { after }) }],
				held: [],
			});
			expect(await ask()).toBe(expected);
		}
	});

	test("a client stays with an endpoint that terminates while that still serves, and others are led elsewhere", async () => {
		const before = frontend(["pod-1"]);
		backend.replace(program(before));
		const ask = clientOf("outside");
		expect(await ask()).toBe("pod-1 sees node");
		const after = frontend(["pod-2"], { lasting: [endpoint("pod-1")] });
		backend.apply({ frontends: [{ before, after }], held: [] });
		expect(await ask()).toBe("pod-1 sees node");
		expect(await clientOf("outside")()).toBe("pod-2 sees node");
	});

	test("a client stays with its endpoint through full writes and a restart of the agent", async () => {
		backend.replace(program(frontend(pods)));
		const ask = clientOf("outside");
		const first = await ask();
		for (let round = 0; round < 5; round++) {
			backend.replace(program(frontend(pods)));
			expect(await ask()).toBe(first);
		}
		backend.close();
		backend = new NftablesBackend(world.namespaceOf("node"));
		backend.replace(program(frontend(pods)));
		expect(await ask()).toBe(first);
	});
});

function placeOf(address: string, family: IPFamily): string {
	const places = ["outside", "node", ...pods] as const;
	const found = places.find(
		(place) => world.addressOf(place, family) === address,
	);
	return found ?? address;
}
