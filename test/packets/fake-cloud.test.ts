import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { listAddresses } from "../../operator/kernel/link-addresses.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { openRouteSocket } from "../../operator/kernel/rtnetlink.ts";
import { bindUdpIn, listenIn } from "../../operator/kernel/sockets.ts";
import { setNetworkSettings } from "../../operator/kernel/sysctl.ts";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import type { Network, NodeNetwork } from "../../sandbox/network/network.ts";
import {
	closeClouds,
	type TestCloud,
	testCloud,
} from "../support/fake-cloud.ts";
import { getThroughDoor } from "../support/through-door.ts";

jest.setTimeout(30_000);

const nodePort = 30080;

let outside: NetworkNamespace;
let cloudNamespace: NetworkNamespace;
let folder: string;
let network: Network;
let cloud: TestCloud;
const undo: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
	outside = createNetworkNamespace();
	folder = mkdtempSync(join(tmpdir(), "fairlead-packets-cloud-"));
	network = createNetwork({ mode: "netns", outside, folder });
	cloudNamespace = network.cloud.namespace as NetworkNamespace;
	// As on machines that use no IPv6.
	setNetworkSettings(cloudNamespace, { "ipv6/conf/lo/disable_ipv6": 1 });
	cloud = await testCloud({
		network: {
			connect: (target) => network.cloud.connect(target),
			namespace: cloudNamespace,
		},
		kernel: { outside: { namespace: outside } },
		healthCheckSpeed: 100,
	});
});

afterEach(async () => {
	for (const each of undo.splice(0)) await each();
	await closeClouds();
	await network.close();
	outside.close();
	rmSync(folder, { recursive: true });
});

/** HTTP and UDP on one port of a node, both answered with its name. */
async function serve(node: NodeNetwork): Promise<void> {
	const namespace = node.namespace as NetworkNamespace;
	const server = createServer((_request, response) => response.end(node.name));
	server.listen({ fd: listenIn(namespace, node.address, nodePort) });
	await once(server, "listening");
	const socket = createSocket("udp4");
	socket.on("message", (_data, from) =>
		socket.send(node.name, from.port, from.address),
	);
	const listening = once(socket, "listening");
	socket.bind({ fd: bindUdpIn(namespace, node.address, nodePort) });
	await listening;
	undo.push(async () => {
		socket.close();
		server.close();
		server.closeAllConnections();
		await once(server, "close");
	});
}

const check = {
	protocol: "tcp",
	port: nodePort,
	interval: 3,
	timeout: 1,
	retries: 2,
};
const service = (protocol: string, more: object = {}) => ({
	protocol,
	listen_port: 80,
	destination_port: nodePort,
	health_check: check,
	...more,
});

/** A balancer to all nodes, once they are healthy on each of its listeners. */
async function balance(services: object[]) {
	const nodes = [network.addNode(1), network.addNode(2)];
	await Promise.all(nodes.map(serve));
	const { body } = await cloud.ask("POST", "/load_balancers", {
		name: "web",
		load_balancer_type: "lb11",
		location: "fsn1",
		services,
		targets: nodes.map((node) => ({ type: "ip", ip: { ip: node.address } })),
	});
	const { id, public_net } = body.load_balancer;
	await cloud.until(id, (balancer) => {
		const health = balancer?.targets.flatMap((target) => target.health) ?? [];
		return (
			balancer?.lockedBy === null &&
			health.length === 2 * services.length &&
			health.every(({ status }) => status === "healthy")
		);
	});
	return { id, path: `/load_balancers/${id}`, address: public_net.ipv4.ip };
}

const live = (id: number) =>
	cloud.state().balancers.find((balancer) => balancer.id === id);

test("TCP and UDP on one port of a balancer made by the API reach the nodes through the kernel", async () => {
	const { id, address } = await balance([service("tcp"), service("udp")]);
	const answer = await getThroughDoor(cloud.door as string, address, 80);
	expect(answer.body).toMatch(/^node-[12]$/);
	const datagram = await new Promise<string>((resolve) => {
		const path = cloud.engine.dialUdp(address, 80, (data) =>
			resolve(String(data)),
		);
		undo.push(async () => path.close());
		path.send(Buffer.from("?"));
	});
	expect(datagram).toMatch(/^node-[12]$/);
	expect(
		live(id)?.listeners.map((each) => [
			each.protocol,
			each.engine,
			each.state,
			each.reason,
		]),
	).toEqual([
		["tcp", "kernel", "serving", null],
		["udp", "kernel", "serving", null],
	]);
	await cloud.until(id, (balancer) => balancer?.counters.total === 2);
});

test("a listener that is made HTTP is served by a socket in the same namespace", async () => {
	const { id, path, address } = await balance([service("tcp")]);
	await cloud.act("POST", `${path}/actions/update_service`, {
		...service("http"),
		http: { sticky_sessions: true },
	});
	expect(live(id)?.listeners).toMatchObject([
		{ engine: "userspace", state: "serving" },
	]);
	const answer = await getThroughDoor(cloud.door as string, address, 80);
	expect(answer.body).toMatch(/^node-[12]$/);
});

test("a balancer's IPv6 address, too, reaches nodes that have IPv4 alone", async () => {
	const { id } = await balance([service("tcp")]);
	const [, address] = live(id)?.addresses ?? [];
	const inside = openRouteSocket(cloudNamespace);
	expect(listAddresses(inside).map((each) => each.address)).toContain(address);
	inside.close();
	// Nobody routes IPv6 to the cloud here: asked from inside.
	const client = network.cloud.connect({ host: address as string, port: 80 });
	client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	const [data] = (await once(client, "data")) as [Buffer];
	expect(String(data)).toMatch(/^HTTP\/1.1 200 OK/);
	client.destroy();
});

test("when the cloud is closed its namespace is as it was", async () => {
	const before = openRouteSocket(cloudNamespace);
	const addresses = () => listAddresses(before).map(({ address }) => address);
	await balance([service("tcp")]);
	expect(addresses()).toContain("203.0.113.1");
	await closeClouds();
	expect(addresses().filter((each) => each.startsWith("203."))).toEqual([]);
	before.close();
});
