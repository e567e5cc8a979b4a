import { jest } from "@jest/globals";
import type { Node, Service } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { loadConnection } from "../../operator/cluster/kubeconfig.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { Fairlead } from "../support/fairlead.ts";
import { quietLog } from "../support/quiet-log.ts";
import { getThroughDoor } from "../support/through-door.ts";

jest.setTimeout(120_000);

let sandbox: Fairlead;
afterEach(() => sandbox.kill("SIGKILL"));

it("fifty nodes are all ready, and a Service is reached through the last as through the first", async () => {
	sandbox = new Fairlead(["sandbox", "--nodes", "50", "--network", "netns"]);
	const [, kubeconfig = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
	const [, door = "", address = ""] = await sandbox.printed(
		/curl -x socks5h:\/\/(\S+) http:\/\/(\S+)\//,
	);
	const log = quietLog();
	const client = createKubeClient(
		await loadConnection({ path: kubeconfig, clock: systemClock, log }),
		{ clock: systemClock, log, userAgent: "test" },
	);
	const { items } = await client.list<Node>(resources.nodes);
	const hello = await client.get<Service>(resources.services, {
		namespace: "default",
		name: "hello",
	});
	client.close();
	const ready = items.filter(({ status }) =>
		status?.conditions?.some(
			({ type, status: is }) => type === "Ready" && is === "True",
		),
	);
	expect(ready).toHaveLength(50);
	expect((await getThroughDoor(door, address, 80)).status).toBe(200);
	const nodePort = hello.spec.ports?.[0]?.nodePort ?? 0;
	for (const node of ["172.30.1.1", "172.30.1.50"])
		expect((await getThroughDoor(door, node, nodePort)).status).toBe(200);
	expect(await sandbox.kill("SIGINT")).toEqual({ code: 0, signal: null });
});

it("a sandbox without nodes says so and has an API server all the same", async () => {
	sandbox = new Fairlead(["sandbox", "--nodes", "0"]);
	await sandbox.printed(/Without nodes every pod stays Pending/);
	expect(await sandbox.kill("SIGINT")).toEqual({ code: 0, signal: null });
});
