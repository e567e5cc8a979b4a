import { readFileSync } from "node:fs";
import { jest } from "@jest/globals";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { decodeMessage } from "../../operator/dns/decode.ts";
import {
	type DnsRecord,
	flagBits,
	type Message,
	rcodes,
	types,
} from "../../operator/dns/message.ts";
import { foldName } from "../../operator/dns/names.ts";
import { type DnsServer, startDns } from "../../operator/dns/server.ts";
import type { SocketAddress } from "../../operator/dns/upstreams.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { type CoreDns, startCoreDns } from "../support/coredns.ts";
import { TcpClient, UdpClient, wire } from "../support/dns-client.ts";
import { query } from "../support/dns-messages.ts";
import { recordText } from "../support/dns-world.ts";
import { eventually } from "../support/eventually.ts";
import { quietLog } from "../support/quiet-log.ts";
import {
	ingress,
	marker,
	markerSlice,
	namespaces,
	objects,
} from "./dns-objects.ts";
import { rows } from "./dns-questions.ts";

jest.setTimeout(60_000);
/** Milliseconds for one question: a server that says nothing must not hold up the rest. */
const answerMs = 10_000;

/** The world outside the cluster. */
const outside = `
	file {folder}/example example
	file {folder}/root .
`;
const outsideZones = {
	example: `$ORIGIN example.
@ 60 IN SOA ns.example. mail.example. 1 7200 1800 86400 60
@ 60 IN NS ns
ns 60 IN A 192.0.2.53
www 60 IN A 192.0.2.80
alias 60 IN CNAME www
`,
	root: `. 60 IN SOA a.root. mail.root. 1 7200 1800 86400 60
. 60 IN NS a.root.
a.root. 60 IN A 192.0.2.1
`,
};
/** As kubeadm configures it, but for the TTL, which is CoreDNS's own. */
const inside = (kubeconfig: string, upstream: SocketAddress) => `
	kubernetes cluster.local in-addr.arpa ip6.arpa {
		kubeconfig ${kubeconfig}
		pods insecure
		fallthrough in-addr.arpa ip6.arpa
	}
	k8s_external lb.test
	forward . ${upstream.host}:${upstream.port}
`;

let cluster: Cluster;
let client: KubeClient;
let upstream: CoreDns;
let coreDns: CoreDns;
let fairlead: DnsServer;
const sockets: UdpClient[] = [];
let ours: UdpClient;
let theirs: UdpClient;

beforeAll(async () => {
	cluster = await startCluster({ dualStack: true });
	await apply(namespaces);
	await apply(objects);
	await patchStatus("front", ingress);
	await apply([marker, markerSlice]);
	upstream = await startCoreDns(outside, outsideZones);
	coreDns = await startCoreDns(
		inside(cluster.kubeconfigPath, upstream.address),
	);
	const connection = await loadConnection({
		path: cluster.kubeconfigPath,
		clock: systemClock,
		log: quietLog(),
	});
	client = createKubeClient(connection, {
		clock: systemClock,
		log: quietLog(),
		userAgent: "dns-test",
	});
	fairlead = await startDns({
		cluster: { client },
		listen: [{ host: "127.0.0.1", port: 0 }],
		zone: "cluster.local",
		externalZone: "lb.test",
		upstreams: [upstream.address],
		clock: systemClock,
		random: Math.random,
		log: quietLog(),
	});
	await fairlead.ready;
	ours = clientOf(fairlead.addresses[0] as SocketAddress);
	theirs = clientOf(coreDns.address);
	// Each watch has a stream of its own: the last object of each kind must have arrived.
	for (const server of [ours, theirs])
		for (const name of ["marker.shop.svc", "front.shop.lb", "idle.svc"])
			await eventually(
				() =>
					ask(
						server,
						`${name}.${name.endsWith("lb") ? "test" : "cluster.local"}`,
						types.A,
					),
				({ rcode }) => expect(rcode).toBe(rcodes.NOERROR),
			);
});
afterAll(async () => {
	for (const socket of sockets) socket.close();
	await fairlead?.close();
	client?.close();
	await coreDns?.stop();
	await upstream?.stop();
	await cluster?.stop();
});

function clientOf(address: SocketAddress): UdpClient {
	const socket = new UdpClient(address);
	sockets.push(socket);
	return socket;
}

async function apply(items: object[]): Promise<void> {
	const list = { apiVersion: "v1", kind: "List", items };
	const { code, stderr } = await cluster.kubectl(["create", "-f", "-"], {
		stdin: JSON.stringify(list),
	});
	if (code !== 0) throw new Error(stderr);
}

async function patchStatus(name: string, status: object): Promise<void> {
	const { code, stderr } = await cluster.kubectl([
		...["patch", "service", name, "--namespace", "shop"],
		...["--subresource", "status", "--type", "merge"],
		...["--patch", JSON.stringify(status)],
	]);
	if (code !== 0) throw new Error(stderr);
}

async function ask(
	server: UdpClient,
	name: string,
	type: number,
	more: Partial<Message> = {},
): Promise<Message> {
	return decodeMessage(await server.ask(wire(query(name, type, more))));
}

/** Rcode and records, sorted, names folded; of a SOA record only whose it is, for serial numbers are each server's own. */
function told({ rcode, answers, authorities, additionals }: Message): string[] {
	const name = Object.entries(rcodes).find(([, code]) => code === rcode)?.[0];
	const records = [answers, authorities, additionals].flatMap(texts);
	return [name ?? String(rcode), ...records].toSorted(byText);
}

function byText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

function texts(records: DnsRecord[]): string[] {
	return records.map((record) =>
		record.data.type === types.SOA
			? `${foldName(record.name)} ${record.ttl} SOA`
			: foldName(recordText(record)).replace(
					/ (a|aaaa|srv|cname|txt|ptr|ns) /,
					(type) => type.toUpperCase(),
				),
	);
}

describe("Fairlead's DNS beside CoreDNS", () => {
	// Four elements each: where a row has fewer than a test has parameters, Jest passes a callback.
	it.each(
		rows.map(([what, type, name, other]) => [what, type, name, other] as const),
	)(
		"on %s (%s %s)",
		async (_what, type, name, difference) => {
			const [mine, other] = await Promise.all([
				ask(ours, name, types[type]),
				ask(theirs, name, types[type]),
			]);
			expect(mine.question).toEqual({ name, type: types[type], class: 1 });
			expect(other.question).toEqual(mine.question);
			if (difference) {
				expect(told(other)).toEqual(difference.theirs.toSorted(byText));
				expect(told(mine)).toEqual(difference.ours.toSorted(byText));
				return;
			}
			expect(told(mine)).toEqual(told(other));
			// Of zones that are its own, both say so.
			expect(mine.flags & flagBits.authoritative).toBe(
				other.flags & flagBits.authoritative,
			);
		},
		answerMs,
	);

	it("on the numbers of a SOA record", async () => {
		const [mine, other] = await Promise.all(
			[ours, theirs].map((server) => ask(server, "cluster.local", types.SOA)),
		);
		const data = (message: Message | undefined) => ({
			...message?.answers[0]?.data,
			serial: 0,
		});
		expect(data(mine)).toEqual(data(other));
	});

	it("on more endpoints than a datagram holds, all of them over TCP", async () => {
		const name = "many.default.svc.cluster.local";
		const whole: string[][] = [];
		for (const [server, address] of [
			[ours, fairlead.addresses[0]],
			[theirs, coreDns.address],
		] as const) {
			const cut = await ask(server, name, types.A);
			expect(cut.flags & flagBits.truncated).not.toBe(0);
			const tcp = await TcpClient.open(address as SocketAddress);
			tcp.send(query(name, types.A));
			const [message] = await tcp.take(1);
			tcp.socket.destroy();
			whole.push(told(message as Message));
			expect(whole.at(-1)).toEqual(expect.arrayContaining(texts(cut.answers)));
		}
		expect(whole[0]).toHaveLength(121);
		expect(whole[0]).toEqual(whole[1]);
	});

	it("on an answer that changes", async () => {
		await apply([
			{
				...marker,
				metadata: { ...marker.metadata, name: "late" },
				spec: { clusterIP: "10.96.3.99", ports: [{ port: 1 }] },
			},
		]);
		const name = "late.shop.svc.cluster.local";
		for (const server of [ours, theirs])
			await eventually(
				() => ask(server, name, types.A),
				(answer) =>
					expect(told(answer)).toEqual(["NOERROR", `${name} 5 A 10.96.3.99`]),
			);
		const { code } = await cluster.kubectl([
			"delete",
			"service",
			"late",
			"-n",
			"shop",
		]);
		expect(code).toBe(0);
		for (const server of [ours, theirs])
			await eventually(
				() => ask(server, name, types.A),
				({ rcode }) => expect(rcode).toBe(rcodes.NXDOMAIN),
			);
	});

	it("differs only where the documentation says why", () => {
		const page = readFileSync("docs/reference/dns.md", "utf8");
		const reasons = new Set(
			rows.flatMap(([, , , difference]) => difference?.why ?? []),
		);
		const listed = [...page.matchAll(/^- \*\*(.+)\.\*\*/gm)].map(
			([, why]) => why,
		);
		expect(new Set(listed)).toEqual(reasons);
	});
});
