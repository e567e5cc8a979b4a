import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import type { Lease, Node } from "../../operator/api/core.ts";
import { reportOf } from "../../operator/model/agent-report.ts";
import { startTestServer } from "../../sandbox/apiserver/test-server.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";

jest.setTimeout(30_000);

describe("fairlead agent", () => {
	it.each([
		[[], "--node is missing: the name of this machine's Node object"],
		[
			["--node", "node-1", "--rules", "some"],
			'--rules "some": must be full, balancers, audit or off',
		],
		[
			["--node", "node-1", "--cluster-cidr", "10.244.0.0"],
			'--cluster-cidr "10.244.0.0": "10.244.0.0" is not a CIDR: it has no prefix length; one address is written with /32, or /128 for IPv6',
		],
		[
			["--node", "node-1", "--nodeport-addresses", "secondary"],
			'--nodeport-addresses "secondary": must be primary, or CIDRs with commas between',
		],
	])("%j says in one line what is wrong", async (flags, line) => {
		const agent = new Fairlead(["agent", ...flags]);
		expect((await agent.ended).code).toBe(2);
		expect(agent.log.map(({ msg }) => msg)).toEqual([
			`fairlead agent: ${line}`,
		]);
	});

	it("with --rules off needs no privileges, reports to the controller, and ends when asked", async () => {
		const api = await startTestServer();
		const folder = await mkdtemp(join(tmpdir(), "fairlead-agent-"));
		const kubeconfig = join(folder, "kubeconfig");
		await writeFile(kubeconfig, api.server.kubeconfig());
		const agent = new Fairlead(
			["agent", "--node", "node-1", "--rules", "off", "--metrics-port", "0"],
			{ KUBECONFIG: kubeconfig },
		);
		try {
			const { probes } = await agent.logged(
				({ msg }) => msg === "the agent is running; rules are off",
			);
			const ask = (path: string) =>
				fetch(`http://127.0.0.1:${String(probes)}/${path}`);
			expect((await ask("livez")).status).toBe(200);
			expect((await ask("metrics")).status).toBe(200);
			await agent.logged(({ msg }) => msg.endsWith("there is no Node node-1"));
			expect((await ask("readyz")).status).toBe(503);
			const { body: node } = await api.call("POST", "/api/v1/nodes", {
				metadata: { name: "node-1" },
			});
			await api.call("POST", "/api/v1/namespaces", {
				metadata: { name: "fairlead-system" },
			});
			const lease = await eventually(
				async () =>
					(
						await api.call(
							"GET",
							"/apis/coordination.k8s.io/v1/namespaces/fairlead-system/leases/fairlead-agent-node-1",
						)
					).body as unknown as Lease,
				({ spec }) => expect(spec?.holderIdentity).toBe("node-1"),
			);
			expect(reportOf(lease)).toMatchObject({
				node: "node-1",
				rules: "off",
				ports: {},
			});
			expect(lease.metadata.ownerReferences).toMatchObject([
				{ kind: "Node", uid: (node as unknown as Node).metadata.uid },
			]);
			await eventually(
				async () => (await ask("readyz")).status,
				(status) => expect(status).toBe(200),
			);
			expect((await agent.kill("SIGTERM")).code).toBe(0);
		} finally {
			await agent.kill("SIGKILL");
			await api.close();
			await rm(folder, { recursive: true });
		}
	});

	it("without a cluster says in one line what is missing", async () => {
		const flags = ["--node", "node-1", "--rules", "off"];
		const agent = new Fairlead(["agent", ...flags]);
		expect((await agent.ended).code).toBe(1);
		expect(agent.log.map(({ msg }) => msg)).toEqual([
			expect.stringContaining("kubeconfig"),
		]);
	});

	it("with --rules audit --once goes on trying an API server that refuses connections, until it is asked to stop", async () => {
		const folder = await mkdtemp(join(tmpdir(), "fairlead-agent-"));
		const kubeconfig = join(folder, "kubeconfig");
		await writeFile(
			kubeconfig,
			JSON.stringify({
				apiVersion: "v1",
				kind: "Config",
				clusters: [{ name: "none", cluster: { server: "http://127.0.0.1:1" } }],
				users: [{ name: "me", user: { token: "secret" } }],
				contexts: [{ name: "it", context: { cluster: "none", user: "me" } }],
				"current-context": "it",
			}),
		);
		const flags = ["--node", "node-1", "--rules", "audit", "--once"];
		const agent = new Fairlead(["agent", ...flags], { KUBECONFIG: kubeconfig });
		try {
			await agent.logged(({ msg }) => msg.startsWith("lost services:"));
			expect((await agent.kill("SIGTERM")).code).toBe(1);
		} finally {
			await agent.kill("SIGKILL");
			await rm(folder, { recursive: true });
		}
	});
});
