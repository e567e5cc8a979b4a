import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import { decodeMessage } from "../../operator/dns/decode.ts";
import { rcodes, types } from "../../operator/dns/message.ts";
import type { SocketAddress } from "../../operator/dns/upstreams.ts";
import {
	startTestServer,
	type TestServer,
} from "../../sandbox/apiserver/test-server.ts";
import { UdpClient, wire } from "../support/dns-client.ts";
import { query } from "../support/dns-messages.ts";
import { recordText } from "../support/dns-world.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";

jest.setTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "fairlead-dns-"));
const kubeconfig = join(folder, "kubeconfig");
afterAll(() => rmSync(folder, { recursive: true }));

let api: TestServer;
let dns: Fairlead;
let client: UdpClient;

beforeEach(async () => {
	api = await startTestServer();
	writeFileSync(kubeconfig, api.server.kubeconfig());
});
afterEach(async () => {
	await dns.kill("SIGKILL");
	client?.close();
	await api.close();
});

/** The command, as soon as it listens. */
async function start(...flags: string[]): Promise<{ probes: string }> {
	dns = new Fairlead([
		...["dns", "--kubeconfig", kubeconfig, "--listen", "127.0.0.1:0"],
		...["--metrics-port", "0", ...flags],
	]);
	const running = await dns.logged(({ msg }) => /is running/.test(msg));
	const [address] = running["listen"] as SocketAddress[];
	client = new UdpClient(address as SocketAddress);
	return { probes: `http://127.0.0.1:${String(running["probes"])}` };
}

const ask = async (name: string, type: number) =>
	decodeMessage(await client.ask(wire(query(name, type))));

describe("fairlead dns", () => {
	it("answers the cluster's names and the balancers', shows its numbers, and ends in order", async () => {
		const services = "/api/v1/namespaces/default/services";
		const created = await api.call("POST", services, {
			metadata: { name: "web" },
			spec: {
				type: "LoadBalancer",
				clusterIP: "10.96.0.7",
				ports: [{ port: 80 }],
			},
		});
		expect(created.code).toBe(201);
		const { probes } = await start("--external-zone", "lb.test", "--ttl", "30");
		await eventually(
			async () => (await fetch(`${probes}/readyz`)).status,
			(status) => expect(status).toBe(200),
		);
		const web = await ask("web.default.svc.cluster.local", types.A);
		expect(web.answers.map(recordText)).toEqual([
			"web.default.svc.cluster.local 30 A 10.96.0.7",
		]);
		await api.patch("merge", `${services}/web/status`, {
			status: { loadBalancer: { ingress: [{ ip: "203.0.113.9" }] } },
		});
		await eventually(
			() => ask("web.default.lb.test", types.A),
			({ answers }) =>
				expect(answers.map(recordText)).toEqual([
					"web.default.lb.test 30 A 203.0.113.9",
				]),
		);
		expect(await (await fetch(`${probes}/metrics`)).text()).toMatch(
			/fairlead_dns_responses_total\{transport="udp",rcode="NOERROR"\} [1-9]/,
		);
		expect(await dns.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	});

	it("is not ready and answers SERVFAIL while nobody tells it of the cluster", async () => {
		await api.close();
		const { probes } = await start();
		const ready = await fetch(`${probes}/readyz`);
		expect(ready.status).toBe(503);
		expect(await ready.text()).toBe("the cluster has not been read yet\n");
		const { rcode } = await ask("web.default.svc.cluster.local", types.A);
		expect(rcode).toBe(rcodes.SERVFAIL);
		expect(await dns.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	});

	it("says in one line that a port is taken, or a flag is wrong", async () => {
		await start();
		const first = dns;
		const running = await first.logged(({ msg }) => /is running/.test(msg));
		const [taken] = running["listen"] as SocketAddress[];
		const listen = `127.0.0.1:${taken?.port}`;
		const second = new Fairlead([
			...["dns", "--kubeconfig", kubeconfig, "--listen", listen],
		]);
		expect(await second.ended).toEqual({ code: 1, signal: null });
		expect(second.log.map(({ msg }) => msg)).toEqual([
			`fairlead dns: cannot listen on ${listen} (TCP): the port is taken`,
		]);
		const third = new Fairlead(["dns", "--external-zone", "cluster.local"]);
		expect(await third.ended).toEqual({ code: 2, signal: null });
		expect(third.log.map(({ msg }) => msg)).toEqual([
			`fairlead dns: --external-zone "cluster.local": must be another zone than the cluster's`,
		]);
	});
});
