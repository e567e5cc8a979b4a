import { jest } from "@jest/globals";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { addAddress } from "../../operator/kernel/link-addresses.ts";
import {
	createBridge,
	listLinks,
	LOOPBACK,
} from "../../operator/kernel/links.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { listRoutes } from "../../operator/kernel/routes.ts";
import {
	carryOutIn,
	openRouteSocket,
} from "../../operator/kernel/rtnetlink.ts";
import { listenIn } from "../../operator/kernel/sockets.ts";
import { AddressPool } from "../../sandbox/network/address-pool.ts";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import type { Network, Place } from "../../sandbox/network/network.ts";

jest.setTimeout(30_000);

let outside: NetworkNamespace;
let folder: string;
let network: Network;
const servers: Server[] = [];

beforeEach(() => {
	outside = createNetworkNamespace();
	folder = mkdtempSync(join(tmpdir(), "fairlead-network-"));
	network = createNetwork({ mode: "netns", outside, folder });
});

afterEach(async () => {
	for (const server of servers.splice(0))
		await new Promise((resolve) => server.close(resolve));
	await network.close();
	outside.close();
	rmSync(folder, { recursive: true });
});

/** Answers every connection to `address` with where it comes from. */
async function answer(at: Place, port: number, address = at.address) {
	const { namespace } = at;
	if (!namespace) throw new Error("not in mode netns");
	const server = createServer((socket) => {
		socket.end(`${socket.remoteAddress}`);
	});
	servers.push(server);
	server.listen({ fd: listenIn(namespace, address, port) });
	await once(server, "listening");
}

async function ask(from: Place, host: string, port: number): Promise<string> {
	return answerOf(from.connect({ host, port }));
}

async function answerOf(socket: Socket): Promise<string> {
	try {
		return await text(socket);
	} catch (error) {
		return String((error as NodeJS.ErrnoException).code);
	}
}

test("everybody's packets reach everybody, under the sender's own address", async () => {
	const nodes = [network.addNode(1), network.addNode(2)];
	const places: Record<string, Place> = {
		outside: network.outside,
		cloud: network.cloud,
		"node-1": nodes[0] as Place,
		"node-2": nodes[1] as Place,
		"pod a on node-1": nodes[0]?.addPod({ hostNetwork: false }) as Place,
		"pod b on node-1": nodes[0]?.addPod({ hostNetwork: false }) as Place,
		"pod on node-2": nodes[1]?.addPod({ hostNetwork: false }) as Place,
	};
	for (const place of Object.values(places)) await answer(place, 8080);
	const seen: string[] = [];
	const expected: string[] = [];
	for (const [fromName, from] of Object.entries(places))
		for (const [toName, to] of Object.entries(places)) {
			const address = await ask(from, to.address, 8080);
			seen.push(`${toName} sees ${fromName} as ${address}`);
			expected.push(`${toName} sees ${fromName} as ${from.address}`);
		}
	expect(seen).toEqual(expected);
});

test("a balancer's address is the cloud's, from wherever it is asked", async () => {
	carryOutIn(network.cloud.namespace as NetworkNamespace, [
		addAddress({ link: LOOPBACK, address: "203.0.113.10", prefixLength: 32 }),
	]);
	await answer(network.cloud, 80, "203.0.113.10");
	const node = network.addNode(1);
	const pod = node.addPod({ hostNetwork: false });
	for (const from of [network.outside, node, pod])
		expect(await ask(from, "203.0.113.10", 80)).toBe(from.address);
});

test("what nobody has is refused at once, not waited for", async () => {
	const pod = network.addNode(1).addPod({ hostNetwork: false });
	expect(await ask(pod, "192.0.2.1", 80)).toBe("ENETUNREACH");
	expect(await ask(pod, network.outside.address, 9)).toBe("ECONNREFUSED");
});

test("a pod on its node's network has the node's address and ports", async () => {
	const node = network.addNode(1);
	const pod = node.addPod({ hostNetwork: true });
	expect(pod.address).toBe(node.address);
	await answer(pod, 8080);
	expect(await ask(network.outside, node.address, 8080)).toBe("172.30.0.1");
});

test("a node that goes takes its pods off the network, and is found at once when it is back", async () => {
	const stays = network.addNode(1);
	for (let round = 0; round < 3; round++) {
		const node = network.addNode(2);
		const pod = node.addPod({ hostNetwork: false });
		await answer(pod, 8080);
		expect(await ask(stays, pod.address, 8080)).toBe(stays.address);
		node.remove();
		expect(await ask(stays, pod.address, 8080)).toBe("EHOSTUNREACH");
	}
});

test("a removed pod's address is used again last of all", async () => {
	const node = network.addNode(1);
	const first = node.addPod({ hostNetwork: false });
	expect(first.address).toBe("10.244.1.2");
	first.remove();
	const next = node.addPod({ hostNetwork: false });
	expect(next.address).toBe("10.244.1.3");
	await answer(next, 8080);
	expect(await ask(node, next.address, 8080)).toBe(node.address);
});

test("of a pod that cannot be made nothing is left, and the next one can", () => {
	const node = network.addNode(1);
	const namespace = node.namespace as NetworkNamespace;
	const look = () => {
		const socket = openRouteSocket(namespace);
		const state = {
			links: listLinks(socket).map(({ name }) => name),
			routes: listRoutes(socket).map(({ destination }) => destination),
		};
		socket.close();
		return { ...state, files: readdirSync("/proc/self/fd").length };
	};
	carryOutIn(namespace, [createBridge({ name: "pod1", index: 900 })]);
	const givenBack = jest.spyOn(AddressPool.prototype, "giveBack");
	const before = look();
	expect(() => node.addPod({ hostNetwork: false })).toThrow(
		"cannot make veth pod1: EEXIST",
	);
	expect(look()).toEqual(before);
	expect(givenBack.mock.calls).toEqual([["10.244.1.2"]]);
	givenBack.mockRestore();
	expect(node.addPod({ hostNetwork: false }).address).toBe("10.244.1.3");
});

test("closing leaves neither links nor open files", async () => {
	const before = readdirSync("/proc/self/fd").length;
	const other = createNetworkNamespace();
	const second = createNetwork({ mode: "netns", outside: other, folder });
	second.addNode(1).addPod({ hostNetwork: false });
	second.addNode(2);
	await second.close();
	const socket = openRouteSocket(other);
	expect(listLinks(socket).map(({ name }) => name)).toEqual(["lo"]);
	socket.close();
	other.close();
	expect(readdirSync("/proc/self/fd").length).toBe(before);
});

test("a namespace with addresses is not taken over", () => {
	expect(() => createNetwork({ mode: "netns", outside, folder })).toThrow(
		"the sandbox's network needs a network namespace of its own, and this one has address 172.30.0.1",
	);
});
