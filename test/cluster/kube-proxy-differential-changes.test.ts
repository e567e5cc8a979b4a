import { jest } from "@jest/globals";
import type { EndpointSlice, Service } from "../../operator/api/core.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { eventually as eventuallyWithin } from "../support/eventually.ts";
import type { Answer } from "../support/packet-world.ts";
import { outcomes } from "./kube-proxy-differential-answers.ts";
import { type Asked, Desk } from "./kube-proxy-differential-desk.ts";
import { Side, startBlind } from "./kube-proxy-differential-side.ts";
import { parseQuestion } from "./kube-proxy-differential-subject.ts";

// A ceiling for a machine that is busy with other things.
jest.setTimeout(120_000);

/** With a limit that a busy machine does not reach. */
const eventually = <T>(read: () => T | Promise<T>, holds: (value: T) => void) =>
	eventuallyWithin(read, holds, 100_000);

let cluster: Cluster;
let desk: Desk;
const sides: Side[] = [];

beforeAll(async () => {
	cluster = await startCluster({
		dualStack: true,
		users: [{ name: "reader-of-nodes" }],
	});
	sides.push(await Side.prepare(cluster), await Side.prepare(cluster));
	const [kubeProxy, fairlead] = sides as [Side, Side];
	desk = await Desk.open(cluster, fairlead.world);
	await Promise.all([
		kubeProxy.startKubeProxy(cluster),
		fairlead.startFairlead(cluster),
	]);
});

afterAll(async () => {
	desk?.client.close();
	for (const side of sides) await side.close();
	await cluster?.stop();
});

const names = ["kube-proxy", "Fairlead"] as const;
const sideOf = (name: (typeof names)[number]) =>
	sides[names.indexOf(name)] as Side;

/** What comes of these questions: one outcome if they all agree. */
async function outcomesOf(
	side: Side,
	asked: Asked,
	text: string,
	expected: string,
) {
	const found = await outcomes(
		side,
		parseQuestion(text).map((question) => ({ asked, question, expected })),
	);
	return new Set(found);
}

/** Resolves when the rules lead each of these questions to a Service's one endpoint. */
async function served(
	side: Side,
	asked: Asked,
	text: string,
	outcome = "pod-1 sees node",
): Promise<void> {
	await eventually(
		() => outcomesOf(side, asked, text, outcome),
		(found) => expect(found).toEqual(new Set([outcome])),
	);
}

const spec = { type: "LoadBalancer" } as const;

describe("a Service that goes", () => {
	let asked: Asked;
	let flows: Map<Side, { before: Answer; say: () => Promise<Answer> }>;

	const everything = (side: Side) => side.nft("list", "ruleset");
	const traces = () => [
		...(asked.service.spec.clusterIPs ?? []),
		asked.addresses.ingress.IPv4,
		asked.addresses.ingress.IPv6,
		...asked.addresses.externalIPs.IPv4,
		...asked.addresses.externalIPs.IPv6,
	];

	beforeAll(async () => {
		asked = await desk.write({
			spec,
			ingress: "VIP",
			externalIPs: 1,
			slices: [{ endpoints: ["pod-1"] }],
			rows: [],
		});
		flows = new Map();
		for (const side of sides) {
			await served(
				side,
				asked,
				"outside -> ClusterIP, NodePort, ingress, externalIP",
			);
			for (const trace of traces()) expect(everything(side)).toContain(trace);
			const flow = side.world.converse(
				"outside",
				"UDP",
				side.world.addressOf("node", "IPv4"),
				nodePortOf(asked.service, "udp"),
			);
			flows.set(side, { before: await flow.say(), say: () => flow.say() });
		}
		await desk.remove(asked);
		for (const side of sides)
			await eventually(
				() => everything(side),
				(rules) => {
					for (const trace of traces()) expect(rules).not.toContain(trace);
				},
			);
	});

	describe.each(names)("takes its rules along: %s", (name) => {
		test.each([
			["its NodePort is refused", "NodePort", "refused"],
			["its ingress address is nobody's", "ingress", "wanders"],
			["its external IP is nobody's", "externalIP", "wanders"],
			[
				"nobody answers at its ClusterIP",
				"ClusterIP",
				name === "kube-proxy" ? "dropped" : "wanders",
			],
		])("%s", async (_, target, outcome) => {
			const text = `outside, pod-1, node -> ${target}`;
			expect(await outcomesOf(sideOf(name), asked, text, outcome)).toEqual(
				new Set([outcome]),
			);
		});
	});

	test("a client of UDP that goes on from its port is refused by Fairlead; kube-proxy leaves it its endpoint", async () => {
		const [kubeProxy, fairlead] = sides.map((side) => flows.get(side));
		expect(fairlead?.before).toEqual({ by: "pod-1", saw: "node" });
		await eventually(
			() => fairlead?.say(),
			(answer) => expect(answer).toBe("refused"),
		);
		expect(kubeProxy?.before).toEqual({ by: "pod-1", saw: "node" });
		expect(await kubeProxy?.say()).toEqual({ by: "pod-1", saw: "node" });
	});
});

describe.each(names)("an endpoint that goes: %s", (name) => {
	test.each(["ClusterIP", "NodePort"] as const)(
		"a client of UDP that goes on from its port at the %s is led to the next",
		async (target) => {
			const side = sideOf(name);
			const asked = await desk.write({
				spec,
				slices: [{ endpoints: ["pod-1"] }],
				rows: [],
			});
			const [clusterIP = ""] = asked.service.spec.clusterIPs ?? [];
			await served(side, asked, `outside -> ${target}`);
			const flow =
				target === "ClusterIP"
					? side.world.converse("outside", "UDP", clusterIP, 80)
					: side.world.converse(
							"outside",
							"UDP",
							side.world.addressOf("node", "IPv4"),
							nodePortOf(asked.service, "udp"),
						);
			expect(await flow.say()).toEqual({ by: "pod-1", saw: "node" });
			const { name: service } = asked.service.metadata;
			for (const slice of desk.slicesOf(service, [{ endpoints: ["pod-2"] }]))
				await desk.client.replace<EndpointSlice>(
					resources.endpointSlices,
					slice,
				);
			await eventually(
				() => flow.say(),
				(answer) => expect(answer).toEqual({ by: "pod-2", saw: "node" }),
			);
			flow.close();
		},
	);
});

describe.each(names)(
	"an endpoint that terminates but still serves: %s",
	(name) => {
		test("keeps a client of UDP that goes on from its port, while others are led to the next", async () => {
			const side = sideOf(name);
			const asked = await desk.write({
				spec,
				slices: [{ endpoints: ["pod-1"] }],
				rows: [],
			});
			await served(side, asked, "outside -> NodePort");
			const flow = side.world.converse(
				"outside",
				"UDP",
				side.world.addressOf("node", "IPv4"),
				nodePortOf(asked.service, "udp"),
			);
			expect(await flow.say()).toEqual({ by: "pod-1", saw: "node" });
			const { name: service } = asked.service.metadata;
			for (const slice of desk.slicesOf(service, [
				{ endpoints: ["pod-1 terminating", "pod-2"] },
			]))
				await desk.client.replace<EndpointSlice>(
					resources.endpointSlices,
					slice,
				);
			await served(side, asked, "outside -> NodePort", "pod-2 sees node");
			expect(await flow.say()).toEqual({ by: "pod-1", saw: "node" });
			flow.close();
		});
	},
);

describe("two Services that want one address and port", () => {
	// Each port is a draw of its own.
	const numbers = Array.from({ length: 12 }, (_, index) => 80 + index);
	const ports = numbers.map((port) => ({
		name: `tcp-${port}`,
		port,
		protocol: "TCP" as const,
	}));
	const slice = (endpoint: string) => ({
		endpoints: [endpoint],
		ports: ports.map(({ name }) => ({ name, port: 8080 })),
	});

	test("the older keeps it with Fairlead; with kube-proxy the younger takes it, sooner or later", async () => {
		const [kubeProxy, fairlead] = sides as [Side, Side];
		const older = await desk.write({
			spec: { ports },
			externalIPs: 1,
			slices: [slice("pod-1")],
			rows: [],
		});
		const [address = ""] = older.addresses.externalIPs.IPv4;
		const heard = ({ world }: Side) =>
			Promise.all(
				numbers.map(
					(port) => world.ask("outside", "TCP", address, port).answer,
				),
			);
		for (const side of sides)
			await served(side, older, "outside -> externalIP TCP");
		const younger = await desk.write({
			spec: { ports, externalIPs: [address] },
			slices: [slice("pod-2")],
			rows: [],
		});
		for (const side of sides)
			await served(
				side,
				younger,
				"outside -> ClusterIP TCP",
				"pod-2 sees node",
			);
		await eventually(
			async () => {
				const answers = await heard(kubeProxy);
				// It goes through Services in no order and lets the last win, anew with each sync: one more.
				const other = await desk.write({
					slices: [{ endpoints: ["pod-1"] }],
					rows: [],
				});
				await served(kubeProxy, other, "outside -> ClusterIP TCP");
				return answers;
			},
			(answers) => expect(answers).toContainEqual({ by: "pod-2", saw: "node" }),
		);
		expect(await heard(fairlead)).toEqual(
			numbers.map(() => ({ by: "pod-1", saw: "node" })),
		);
	});
});

test("before the first sync /healthz answers 200 with kube-proxy, 503 with Fairlead", async () => {
	const { code, stderr } = await cluster.kubectl(["apply", "-f", "-"], {
		stdin: JSON.stringify({
			apiVersion: "v1",
			kind: "List",
			items: [
				{
					apiVersion: "rbac.authorization.k8s.io/v1",
					kind: "ClusterRole",
					metadata: { name: "reader-of-nodes" },
					rules: [
						{
							apiGroups: [""],
							resources: ["nodes"],
							verbs: ["get", "list", "watch"],
						},
					],
				},
				{
					apiVersion: "rbac.authorization.k8s.io/v1",
					kind: "ClusterRoleBinding",
					metadata: { name: "reader-of-nodes" },
					roleRef: {
						apiGroup: "rbac.authorization.k8s.io",
						kind: "ClusterRole",
						name: "reader-of-nodes",
					},
					subjects: [{ kind: "User", name: "reader-of-nodes" }],
				},
			],
		}),
	});
	expect([code, stderr]).toEqual([0, ""]);
	const kubeconfig = cluster.kubeconfigFor({ user: "reader-of-nodes" });
	const statuses: (number | undefined)[] = [];
	for (const name of names) {
		const blind = await startBlind(cluster, kubeconfig, name);
		try {
			statuses.push((await blind.get(10256, "/healthz")).status);
		} finally {
			await blind.close();
		}
	}
	expect(statuses).toEqual([200, 503]);
});

function nodePortOf(service: Service, portName: string): number {
	const port = service.spec.ports?.find(({ name }) => name === portName);
	if (!port?.nodePort) throw new RangeError(`no node port ${portName}`);
	return port.nodePort;
}
