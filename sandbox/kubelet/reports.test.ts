import { jest } from "@jest/globals";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { TestNode } from "./test-node.ts";
import { isReady, main, patient, sh } from "./test-pods.ts";
import { TestWorld } from "./test-world.ts";

// Real processes, on a machine that may be busy.
jest.setTimeout(30_000);

let world: TestWorld;
let node: TestNode;

beforeEach(async () => {
	world = await TestWorld.start();
	node = new TestNode();
});

afterEach(async () => {
	await world.close();
	expect(node.alive).toEqual([]);
});

describe("reports", () => {
	/** The world's client, which can be cut off and counts what it writes. */
	function cuttable(): { client: KubeClient; cut: boolean; writes: string[] } {
		const state = { client: world.client, cut: false, writes: [] as string[] };
		state.client = new Proxy(world.client, {
			get: (target, name) => {
				const member = Reflect.get(target, name) as (
					...args: unknown[]
				) => unknown;
				return (...args: unknown[]) => {
					if (state.cut)
						return Promise.reject(
							new FairleadError("KubeUnreachable", "connection refused"),
						);
					if (name !== "get")
						state.writes.push(
							`${String(name)} ${(args[0] as { plural: string }).plural}`,
						);
					return Reflect.apply(member, target, args);
				};
			},
		});
		return state;
	}

	it("wait while the API server is away, and nothing is lost", async () => {
		const link = cuttable();
		await world.kubelet(node, link.client);
		await world.run("web", sh(patient));
		const obedient =
			"trap 'exit 5' USR1; echo up; while :; do sleep 0.05; done";
		await world.run("job", sh(obedient), { restartPolicy: "Never" });
		await world.says("job", "up\n");
		const child = node.children.find(({ spawnargs }) =>
			spawnargs.includes(obedient),
		);
		link.cut = true;
		const ended = new Promise((resolve) => child?.once("exit", resolve));
		child?.kill("SIGUSR1");
		await ended;
		await world.delete("web");
		await world.pod(
			"web",
			({ metadata }) => metadata.deletionTimestamp !== undefined,
		);
		link.cut = false;
		const job = await world.pod(
			"job",
			({ status }) => status?.phase === "Failed",
		);
		expect(main(job)?.state?.terminated?.exitCode).toBe(5);
		await world.gone("web");
	});

	it("are written only when something changed", async () => {
		const link = cuttable();
		await world.kubelet(node, link.client);
		await world.run("web", sh(patient));
		await world.pod("web", isReady);
		await world.events("web", (all) =>
			all.some(({ reason }) => reason === "Started"),
		);
		link.writes.length = 0;
		const ref = { namespace: "default", name: "web" };
		await world.client.patch(resources.pods, ref, {
			type: "merge",
			body: { metadata: { labels: { a: "b" } } },
		});
		await world.pod("web", ({ metadata }) => metadata.labels?.["a"] === "b");
		// A status that somebody spoils is the next change; it is repaired after all there was to write for the label.
		await world.client.patch(
			resources.pods,
			{ ...ref, subresource: "status" },
			{ type: "merge", body: { status: { phase: "Pending" } } },
		);
		await world.pod("web", ({ status }) => status?.phase === "Pending");
		await world.pod("web", ({ status }) => status?.phase === "Running");
		expect(link.writes.filter((each) => each.endsWith(" pods"))).toEqual([
			"patch pods",
		]);
	});
});
