import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jest } from "@jest/globals";
import type { Service } from "../../operator/api/core.ts";
import { CallProxy, type ProxiedCall } from "../support/call-proxy.ts";
import { eventually } from "../support/eventually.ts";
import type { Fairlead } from "../support/fairlead.ts";
import { World } from "../support/world.ts";

jest.setTimeout(800_000);

type Moment = "before" | "after";

let world: World;
let kube: CallProxy;
let cloud: CallProxy;
let kubeconfig: string;
const counter = { next: 0 };
let onCall: (moment: Moment, call: ProxiedCall) => Promise<void> =
	async () => {};

beforeAll(async () => {
	world = await World.start();
	const hooks = {
		counter,
		before: (call: ProxiedCall) => onCall("before", call),
		after: (call: ProxiedCall) => onCall("after", call),
	};
	const { server, ca, adminToken } = world.cluster;
	kube = await CallProxy.start({
		side: "kube",
		upstream: server,
		ca,
		...hooks,
	});
	cloud = await CallProxy.start({
		side: "cloud",
		upstream: world.cloudUrl,
		...hooks,
	});
	await world.furnish(`${cloud.url}/v1`);
	kubeconfig = join(world.folder, "proxied");
	await writeFile(
		kubeconfig,
		JSON.stringify({
			apiVersion: "v1",
			kind: "Config",
			"current-context": "proxied",
			contexts: [{ name: "proxied", context: { cluster: "c", user: "u" } }],
			clusters: [{ name: "c", cluster: { server: kube.url } }],
			users: [{ name: "u", user: { token: adminToken } }],
		}),
	);
});
afterAll(async () => {
	onCall = async () => {};
	await world?.stop();
	await kube?.close();
	await cloud?.close();
});

/** What is left of objects when identity, order and time are taken out: equal for equal outcomes. */
async function outcome(name: string): Promise<unknown> {
	const { metadata, spec, status } = await world.get(name);
	const balancers = await world.balancers();
	const address = status?.loadBalancer?.ingress?.[0]?.ip;
	return {
		finalizers: metadata.finalizers,
		annotations: Object.keys(metadata.annotations ?? {}).sort(),
		recorded: metadata.annotations?.["fairlead.dev/assigned"]?.includes(
			`"${address}"`,
		),
		conditions: (status?.conditions ?? [])
			.map((each) => `${each.type}=${each.status}/${each.reason}`)
			.sort(),
		ingress: status?.loadBalancer?.ingress?.length,
		balancers: balancers.map((balancer) => ({
			ours: balancer.labels["fairlead.dev/service-uid"] === metadata.uid,
			atIngress: balancer.public_net.ipv4.ip === address,
			listeners: balancer.services.map(({ listen_port, destination_port }) => [
				listen_port,
				spec.ports?.find(({ port }) => port === listen_port)?.nodePort ===
					destination_port,
			]),
			targets: balancer.targets
				.map((target) => target.ip?.ip ?? target.type)
				.sort((a, b) => (a < b ? -1 : 1)),
		})),
	};
}

const settled = (service: Service) => {
	for (const type of ["Provisioned", "Serving"])
		expect(
			service.status?.conditions?.find(
				(each) => each.type === `fairlead.dev/${type}`,
			)?.status,
		).toBe("True");
};

/**
 * One life of a Service (made, a port added, deleted), with the controller killed at one moment of one of its calls and
 * started again. Answers with what stood in the middle, and the call that was hit.
 */
async function live(
	name: string,
	kill?: {
		at: (call: ProxiedCall) => boolean;
		moment: Moment;
		expected: unknown;
	},
): Promise<{ stood: unknown; hit: ProxiedCall | undefined; calls: number }> {
	let hit: ProxiedCall | undefined;
	let running: Fairlead | undefined;
	let replaced = Promise.resolve();
	const start = () => {
		running = world.controller(
			"--kubeconfig",
			kubeconfig,
			"--audit-schedule",
			"0 0 1 1 *",
		);
	};
	counter.next = 0;
	onCall = async (moment, call) => {
		if (hit || moment !== kill?.moment || !kill.at(call)) return;
		hit = call;
		replaced = (async () => {
			await running?.kill("SIGKILL");
			start();
		})();
		await replaced;
		throw new Error("the caller is dead");
	};
	start();
	await world.service(name);
	await world.address(name);
	await world.kubectl(
		"patch",
		"svc",
		name,
		"-p",
		'{"spec":{"ports":[{"name":"more","port":443}]}}',
	);
	await eventually(
		() => world.balancers(),
		(list) => expect(list.map((each) => each.services.length)).toEqual([2]),
	);
	await eventually(() => world.get(name), settled);
	const stood = await eventually(
		() => outcome(name),
		(found) => kill && expect(found).toEqual(kill.expected),
	);
	await world.kubectl("delete", "svc", name, "--timeout=30s");
	expect(await world.balancers()).toEqual([]);
	onCall = async () => {};
	const calls = counter.next;
	// A life may end before the one who takes its place has started, and two that lead would undo each other's work.
	await replaced;
	await running?.kill("SIGKILL");
	return { stood, hit, calls };
}

describe("a controller killed with -9", () => {
	it("before and after each of its calls in turn leaves the same balancer, nothing leaked and nothing doubled", async () => {
		const undisturbed = await live("life");
		expect(undisturbed.stood).toMatchObject({
			ingress: 1,
			recorded: true,
			balancers: [{ ours: true, atIngress: true }],
		});
		const hits = new Set<string>();
		const killed = async (
			name: string,
			moment: Moment,
			at: (call: ProxiedCall) => boolean,
		) => {
			const expected = undisturbed.stood;
			const { hit } = await live(name, { at, moment, expected });
			if (hit) hits.add(`${moment} ${hit.side} ${hit.method}`);
		};
		for (let number = 0; number < undisturbed.calls; number++)
			for (const moment of ["before", "after"] as const)
				await killed(
					`life-${number}-${moment}`,
					moment,
					(call) => call.number === number,
				);
		// How often a life asks for an action's end varies, so a number may have missed a kind of call: those by their kind.
		const kinds = [
			["kube", "PATCH"],
			["cloud", "POST"],
			["cloud", "DELETE"],
		] as const;
		for (const [side, method] of kinds)
			for (const moment of ["before", "after"] as const) {
				const kind = `${moment} ${side} ${method}`;
				if (!hits.has(kind))
					await killed(
						`life-${side}-${method}-${moment}`.toLowerCase(),
						moment,
						(call) => call.side === side && call.method === method,
					);
				// Both sides, reads and writes, were really hit.
				expect([...hits]).toContain(kind);
			}
	});
});
