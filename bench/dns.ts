import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { systemClock } from "../operator/clock.ts";
import { createKubeClient } from "../operator/cluster/client.ts";
import { loadConnection } from "../operator/cluster/kubeconfig.ts";
import { type KubeClient, resources } from "../operator/cluster/kube.ts";
import { types } from "../operator/dns/message.ts";
import type { SocketAddress } from "../operator/dns/upstreams.ts";
import { startCluster } from "../test/support/cluster.ts";
import { startCoreDns } from "../test/support/coredns.ts";
import { UdpClient, wire } from "../test/support/dns-client.ts";
import { query } from "../test/support/dns-messages.ts";
import { eventually } from "../test/support/eventually.ts";
import { Fairlead } from "../test/support/fairlead.ts";
import { quietLog } from "../test/support/quiet-log.ts";
import { median } from "./figures.ts";
import type { BenchOptions, BenchResult } from "./main.ts";

/** Queries a client has open at once: few enough that no socket's buffer runs over. */
const open = 64;
const ticksPerSecond = 100;
const giveUpMs = 60_000;

interface Server {
	pid: number;
	address: SocketAddress;
}

/**
 * The same questions put to Fairlead and to CoreDNS in turn, both watching one real API server. What counts is the CPU a
 * server spends on an answer: how many come in a second depends on who else is using the machine.
 */
export async function bench({
	quick,
	progress,
}: BenchOptions): Promise<BenchResult> {
	const services = quick ? 200 : 2_000;
	const rounds = quick ? 2 : 7;
	const asked = quick ? 10_000 : 20_000;
	const cluster = await startCluster();
	const client = await clientOf(cluster.kubeconfigPath);
	try {
		await createServices(client, services);
		progress(`${services} Services are there`);
		const coreDns = await startCoreDns(
			`\tkubernetes cluster.local {\n\t\tkubeconfig ${cluster.kubeconfigPath}\n\t\tpods insecure\n\t}\n`,
		);
		const fairlead = new Fairlead([
			...["dns", "--kubeconfig", cluster.kubeconfigPath],
			...["--listen", "127.0.0.1:0", "--metrics-port", "0"],
		]);
		try {
			const running = await fairlead.logged(({ msg }) =>
				/is running/.test(msg),
			);
			const [address] = running["listen"] as SocketAddress[];
			const ours = {
				pid: fairlead.child.pid ?? 0,
				address: address as SocketAddress,
			};
			const queries = questions(services);
			for (const { address } of [ours, coreDns]) await knows(address, services);
			// Both have compiled and cached what they ever will.
			for (const server of [ours, coreDns]) await ask(server, queries, asked);
			const rows: { ours: number; theirs: number }[] = [];
			for (let round = 1; round <= rounds; round++) {
				rows.push({
					ours: await ask(ours, queries, asked),
					theirs: await ask(coreDns, queries, asked),
				});
				progress(`round ${round} of ${rounds}`);
			}
			return {
				figures: {
					cpu_us_per_answer: median(rows.map((row) => row.ours)),
					peer_cpu_us_per_answer: median(rows.map((row) => row.theirs)),
					cpu_over_peer: median(rows.map((row) => row.ours / row.theirs)),
					rss_mb: residentMb(ours),
					peer_rss_mb: residentMb(coreDns),
				},
				peer: "CoreDNS 1.15.0",
				notes: [
					`medians of ${rounds} rounds of ${asked} queries over UDP each, A records of ${services} Services and names that do not exist in equal parts; CPU of user and kernel; CoreDNS without cache and log`,
				],
			};
		} finally {
			await fairlead.kill("SIGTERM");
			await coreDns.stop();
		}
	} finally {
		client.close();
		await cluster.stop();
	}
}

async function clientOf(path: string): Promise<KubeClient> {
	const log = quietLog();
	const connection = await loadConnection({ path, clock: systemClock, log });
	return createKubeClient(connection, {
		clock: systemClock,
		log,
		userAgent: "fairlead-bench",
	});
}

async function createServices(
	client: KubeClient,
	count: number,
): Promise<void> {
	let next = 0;
	const worker = async () => {
		while (next < count)
			await client.create(resources.services, {
				apiVersion: "v1",
				kind: "Service",
				metadata: { namespace: "default", name: `s${next++}` },
				spec: { ports: [{ name: "http", port: 80 }] },
			} as never);
	};
	await Promise.all(Array.from({ length: 16 }, worker));
}

/** As a pod's resolver asks, which tries its search list first: one name that does not exist for each that does. */
function questions(services: number): Buffer[] {
	const edns = { udpSize: 1232, version: 0, dnssec: false };
	return Array.from({ length: services }, (_, n) => [
		`s${n}.default.svc.cluster.local`,
		`s${n}.default.default.svc.cluster.local`,
	])
		.flat()
		.map((name) => wire(query(name, types.A, { edns })));
}

async function knows(address: SocketAddress, services: number): Promise<void> {
	const client = new UdpClient(address);
	try {
		for (const name of ["s0", `s${services - 1}`])
			await eventually(
				() => client.ask(wire(query(`${name}.default.svc.cluster.local`, 1))),
				(answer) => {
					if (answer.readUInt16BE(6) !== 1) throw new Error(`${name} is lost`);
				},
				giveUpMs,
			);
	} finally {
		client.close();
	}
}

/** Has `count` queries answered; resolves with the microseconds of CPU the server spent on each. */
async function ask(
	server: Server,
	queries: readonly Buffer[],
	count: number,
): Promise<number> {
	const socket = createSocket("udp4");
	socket.connect(server.address.port, server.address.host);
	await once(socket, "connect");
	const before = cpuSeconds(server);
	await new Promise<void>((resolve, reject) => {
		let sent = 0;
		let answered = 0;
		const timer = setTimeout(
			() => reject(new Error(`only ${answered} of ${count} were answered`)),
			giveUpMs,
		);
		const send = () => socket.send(queries[sent++ % queries.length] as Buffer);
		socket.on("message", () => {
			answered++;
			if (sent < count) send();
			else if (answered === count) {
				clearTimeout(timer);
				resolve();
			}
		});
		while (sent < open) send();
	}).finally(() => socket.close());
	return ((cpuSeconds(server) - before) / count) * 1e6;
}

function cpuSeconds({ pid }: Server): number {
	const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function residentMb({ pid }: Server): number {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}
