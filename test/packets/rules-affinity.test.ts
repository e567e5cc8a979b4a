import { jest } from "@jest/globals";
import type { IPFamily } from "../../operator/api/core.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import {
	NETLINK_NETFILTER,
	NetlinkSocket,
} from "../../operator/kernel/netlink.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import {
	addElements,
	type Element,
	listElements,
} from "../../operator/kernel/nftables/elements.ts";
import {
	endpointData,
	endpointNumber,
	numberWord,
	serviceKey,
} from "../../operator/kernel/nftables/keys.ts";
import { commit } from "../../operator/kernel/nftables/transaction.ts";
import {
	type Backend,
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

// A ceiling for a machine that is busy with other things: none of these takes five seconds on a quiet one.
jest.setTimeout(120_000);

function programOf(frontends: readonly Frontend[], pods: string[]): Program {
	return {
		frontends: new Map(frontends.map((each) => [frontendKey(each), each])),
		held: new Map(),
		podCidrs: pods,
		masqueradeAll: false,
	};
}

describe("where many clients are remembered", () => {
	const CLIENTS = 20_000;
	const table = { family: "IPv4", name: "fairlead" } as const;
	const endpoint = (last: number): Backend => ({
		address: `10.244.1.${last}`,
		port: 8080,
		local: true,
	});
	const sticky = (...endpoints: number[]): Frontend => ({
		kind: "LoadBalancer",
		family: "IPv4",
		address: "203.0.113.10",
		protocol: "TCP",
		port: 80,
		service: "default/web",
		portName: "http",
		endpoints: endpoints.map(endpoint),
		whenEmpty: "reject",
		masquerade: "always",
		affinitySeconds: 10800,
	});

	let namespace: NetworkNamespace;
	let backend: NftablesBackend;
	let socket: NetlinkSocket;

	beforeEach(() => {
		namespace = createNetworkNamespace();
		backend = new NftablesBackend(namespace);
		socket = new NetlinkSocket(namespace, NETLINK_NETFILTER);
		backend.replace(programOf([sticky(1, 2, 3)], []));
		commit(
			socket,
			addElements(table, "affinity", Array.from({ length: CLIENTS }, client)),
		);
		// Somebody else's edit otherwise.
		backend.replace(programOf([sticky(1, 2, 3)], []));
	});

	afterEach(() => {
		jest.restoreAllMocks();
		socket.close();
		backend.close();
		namespace.close();
	});

	/** The first half is remembered at endpoint 1, the others at 2. */
	function client(_: unknown, index: number): Element {
		const address = Buffer.from([198, 18, index >> 8, index & 0xff]);
		const at = endpoint(index < CLIENTS / 2 ? 1 : 2);
		return {
			key: Buffer.concat([address, serviceKey(sticky())]),
			data: numberWord(endpointNumber(endpointData(at))),
			timeoutMs: 3_600_000,
		};
	}

	test("a change of the endpoints reads back not one of them", () => {
		const request = jest.spyOn(NetlinkSocket.prototype, "request");
		const dump = jest.spyOn(NetlinkSocket.prototype, "dump");
		backend.apply({
			frontends: [{ before: sticky(1, 2, 3), after: sticky(2, 3) }],
			held: [],
		});
		expect(dump).not.toHaveBeenCalled();
		expect(request.mock.calls.map(([, what]) => what)).toEqual([]);
		expect(listElements(socket, table, "affine-endpoints")).toHaveLength(2);
	});

	test("a full write takes over those whose endpoint is still there, with the time they have left", () => {
		backend.replace(programOf([sticky(2, 3)], []));
		const left = listElements(socket, table, "affinity");
		// The kernel may miss some or name some twice while it makes its table larger.
		expect(left.length).toBeGreaterThan(0);
		const second = new Set(
			Array.from({ length: CLIENTS / 2 }, (_, index) =>
				client(undefined, CLIENTS / 2 + index).key.toString("hex"),
			),
		);
		for (const { key } of left)
			expect(second.has(key.toString("hex"))).toBe(true);
		for (const { timeoutMs } of left)
			expect(timeoutMs).toBeLessThanOrEqual(3_600_000);
	});
});

describe("at an address of policy Local", () => {
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

	/** `local` serve everybody, `all` the cluster's own. */
	function policyLocal(
		local: readonly PlaceName[],
		all: readonly PlaceName[],
	): Frontend[] {
		return families.map((family) => {
			const to = (name: PlaceName) => ({
				address: world.addressOf(name, family),
				port: SERVER_PORT,
				local: local.includes(name),
			});
			return {
				kind: "LoadBalancer",
				family,
				address: addresses[family],
				protocol: "TCP",
				port: 80,
				service: "default/web",
				portName: "http",
				endpoints: local.map(to),
				internalEndpoints: all.map(to),
				whenEmpty: "drop",
				masquerade: "node",
				affinitySeconds: 10800,
			};
		});
	}

	const replace = (local: readonly PlaceName[], all: readonly PlaceName[]) => {
		backend.replace(
			programOf(policyLocal(local, all), [
				"10.244.0.0/16",
				"2001:db8:244::/48",
			]),
		);
	};

	async function ask(from: PlaceName, family: IPFamily): Promise<string> {
		const answer: Answer = await world.ask(from, "TCP", addresses[family], 80)
			.answer;
		return typeof answer === "object" && "by" in answer
			? answer.by
			: JSON.stringify(answer);
	}

	const pods = ["pod-1", "pod-2", "pod-3"] as const;

	test.each(["node", "pod-1"] as const)(
		"a full write keeps %s where it was remembered, at an endpoint that is only the cluster's own",
		async (from) => {
			for (const family of families) {
				replace(["pod-1"], ["pod-3"]);
				expect(await ask(from, family)).toBe("pod-3");
				replace(["pod-1"], pods);
				for (let call = 0; call < 15; call++)
					expect(await ask(from, family)).toBe("pod-3");
			}
		},
	);

	test("a client from outside does not go on to an endpoint that is only the cluster's own now, and is remembered where it goes instead", async () => {
		for (const family of families) {
			replace(["pod-3"], pods);
			expect(await ask("outside", family)).toBe("pod-3");
			replace(["pod-1", "pod-2"], pods);
			const next = await ask("outside", family);
			expect(["pod-1", "pod-2"]).toContain(next);
			for (let call = 0; call < 15; call++)
				expect(await ask("outside", family)).toBe(next);
		}
	});
});
