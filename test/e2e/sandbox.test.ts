import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { jest } from "@jest/globals";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { resources } from "../../operator/cluster/kube.ts";
import type { Service } from "../../operator/api/core.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { quietLog } from "../support/quiet-log.ts";
import { getThroughDoor } from "../support/through-door.ts";

jest.setTimeout(60_000);

describe("fairlead sandbox", () => {
	let sandbox: Fairlead;
	afterEach(() => sandbox.kill("SIGKILL"));

	it("prints a dashboard, a kubeconfig and a curl line that all work, and leaves nothing behind on Ctrl-C", async () => {
		sandbox = new Fairlead(["sandbox"]);
		const [, dashboard = ""] = await sandbox.printed(/dashboard +(http:\S+)/);
		const [, kubeconfig = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
		const [, door = "", address = ""] = await sandbox.printed(
			/curl -x socks5h:\/\/(\S+) http:\/\/(\S+)\//,
		);
		expect(await (await fetch(dashboard)).text()).toContain("<title>");
		const { status, body } = await getThroughDoor(door, address, 80);
		expect({ status, body }).toEqual({
			status: 200,
			body: expect.stringMatching(/^node-\d answers GET \/\n$/) as string,
		});
		const client = createKubeClient(
			await loadConnection({
				path: kubeconfig,
				clock: systemClock,
				log: quietLog(),
			}),
			{ clock: systemClock, log: quietLog(), userAgent: "test" },
		);
		const hello = await client.get<Service>(resources.services, {
			namespace: "default",
			name: "hello",
		});
		expect(hello.status?.loadBalancer?.ingress?.[0]?.ip).toBe(address);
		await client.delete(resources.services, {
			namespace: "default",
			name: "hello",
		});
		await client.create(resources.services, {
			metadata: { namespace: "default", name: "lost" },
			spec: {
				type: "LoadBalancer",
				loadBalancerClass: "fairlead.dev/typo",
				ports: [{ port: 80 }],
			},
		} as Service);
		await eventually(
			async () => (await fetch(`${dashboard}dashboard/pending`)).json(),
			(answer) =>
				expect(answer).toMatchObject({
					known: true,
					services: [{ name: "lost", reason: "UnknownClass" }],
				}),
		);
		await eventually(
			() =>
				getThroughDoor(door, address, 80).then(
					() => "served",
					(error: Error) => error.message,
				),
			(said) => expect(said).toContain("refused"),
		);
		client.close();
		expect(await sandbox.kill("SIGINT")).toEqual({ code: 0, signal: null });
		expect(existsSync(dirname(kubeconfig))).toBe(false);
	});

	it("takes the next free ports when the usual ones are taken", async () => {
		sandbox = new Fairlead(["sandbox", "--nodes", "0"]);
		const [, first = ""] = await sandbox.printed(/dashboard +(http:\S+)/);
		const other = new Fairlead(["sandbox", "--nodes", "0"]);
		const [, second = ""] = await other.printed(/dashboard +(http:\S+)/);
		expect(second).not.toBe(first);
		await other.kill("SIGTERM");
	});

	it("lets nobody in without the kubeconfig's token", async () => {
		sandbox = new Fairlead(["sandbox", "--nodes", "0"]);
		const [, path = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
		const config = JSON.parse(await readFile(path, "utf8")) as {
			clusters: {
				cluster: { server: string; "certificate-authority-data": string };
			}[];
		};
		const { cluster } = config.clusters[0] ?? {};
		const answer = await new Promise<string>((resolve, reject) => {
			request(
				`${cluster?.server}/api/v1/secrets`,
				{
					ca: Buffer.from(
						cluster?.["certificate-authority-data"] ?? "",
						"base64",
					),
				},
				(incoming) => void text(incoming).then(resolve, reject),
			)
				.on("error", reject)
				.end();
		});
		expect(answer).toContain("Unauthorized");
	});
});
