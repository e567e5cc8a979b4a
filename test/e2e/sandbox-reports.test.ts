import { jest } from "@jest/globals";
import type { Pod, Service } from "../../operator/api/core.ts";
import { conditions } from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(60_000);

describe.each(["netns", "userspace"])("a sandbox in mode %s", (mode) => {
	let sandbox: Fairlead;
	let kubeconfig = "";
	let client: KubeClient;
	beforeAll(async () => {
		sandbox = new Fairlead(["sandbox", "--nodes", "2", "--network", mode]);
		[, kubeconfig = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
		const log = quietLog();
		client = createKubeClient(
			await loadConnection({ path: kubeconfig, clock: systemClock, log }),
			{ clock: systemClock, log, userAgent: "test" },
		);
	});
	afterAll(async () => {
		client.close();
		await sandbox.kill("SIGINT");
	});

	/** What a command of ours prints of this cluster. */
	async function asked(...args: string[]): Promise<string> {
		const command = new Fairlead([...args, "--kubeconfig", kubeconfig]);
		await command.ended;
		return command.out.join("\n");
	}

	async function told(name: string, type: string): Promise<string> {
		const { status } = await client.get<Service>(resources.services, {
			namespace: "default",
			name,
		});
		const found = status?.conditions?.find((each) => each.type === type);
		return found ? `${found.status}/${found.reason}: ${found.message}` : "";
	}

	it("says of a NodePort which pod's hostPort it clashes with, and no more when the pod is gone", async () => {
		await client.create(resources.services, {
			metadata: { namespace: "default", name: "clash" },
			spec: { type: "NodePort", ports: [{ port: 80, nodePort: 30_047 }] },
		} as Service);
		await client.create(resources.pods, {
			metadata: { namespace: "default", name: "host" },
			spec: {
				nodeName: "node-2",
				containers: [
					{
						name: "hello",
						image: "fairlead/hello",
						ports: [{ containerPort: 8080, hostPort: 30_047 }],
					},
				],
			},
		} as Pod);
		await eventually(
			() => told("clash", conditions.nodePorts),
			(said) =>
				expect(said).toBe(
					"False/HostPort: traffic to this NodePort may not arrive: pod default/host on node node-2 has 30047/TCP as hostPort",
				),
		);
		const text = await asked("nodeports");
		expect(text).toMatch(
			/30047\/TCP +HostPort +pod default\/host on node node-2 has 30047\/TCP as hostPort/,
		);
		expect(text).not.toContain("No agent reports");
		await client.delete(
			resources.pods,
			{ namespace: "default", name: "host" },
			undefined,
			{ gracePeriodSeconds: 0 },
		);
		await eventually(
			() => told("clash", conditions.nodePorts),
			(said) => expect(said).toBe(""),
		);
	});

	it("says of an external IP that no pool grants it", async () => {
		await client.create(resources.services, {
			metadata: { namespace: "default", name: "foreign" },
			spec: { ports: [{ port: 80 }], externalIPs: ["198.51.100.7"] },
		} as Service);
		await eventually(
			() => told("foreign", conditions.externalIPs),
			(said) =>
				expect(said).toMatch(
					/^False\/NotGranted: 198\.51\.100\.7 is in no AddressPool/,
				),
		);
		expect(await asked("explain", "default/foreign")).toContain(
			"198.51.100.7 is in no AddressPool",
		);
	});
});
