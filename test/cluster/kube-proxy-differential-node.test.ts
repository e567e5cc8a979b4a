import { request } from "node:http";
import { text } from "node:stream/consumers";
import { jest } from "@jest/globals";
import type { EndpointSlice, Node, Service } from "../../operator/api/core.ts";
import { resources } from "../../operator/cluster/kube.ts";
import { addAddress } from "../../operator/kernel/link-addresses.ts";
import { LOOPBACK } from "../../operator/kernel/links.ts";
import { carryOutIn } from "../../operator/kernel/rtnetlink.ts";
import { connectIn } from "../../operator/kernel/sockets.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { eventually as eventuallyWithin } from "../support/eventually.ts";
import { type KubeProxy, startKubeProxy } from "../support/kube-proxy.ts";
import { outcomes } from "./kube-proxy-differential-answers.ts";
import { type Asked, Desk, nodeName } from "./kube-proxy-differential-desk.ts";
import { Side } from "./kube-proxy-differential-side.ts";
import { all, parseQuestion } from "./kube-proxy-differential-subject.ts";

// A ceiling for a machine that is busy with other things.
jest.setTimeout(120_000);

/** With a limit that a busy machine does not reach. */
const eventually = <T>(read: () => T | Promise<T>, holds: (value: T) => void) =>
	eventuallyWithin(read, holds, 60_000);

const families = ["IPv4", "IPv6"] as const;
const names = ["kube-proxy", "Fairlead"] as const;
const bits = { IPv4: 32, IPv6: 128 } as const;

let cluster: Cluster;
let desk: Desk;
let kubeProxy: KubeProxy;
const sides: Side[] = [];
const sideOf = (name: (typeof names)[number]) =>
	sides[names.indexOf(name)] as Side;

const local = {
	type: "LoadBalancer",
	externalTrafficPolicy: "Local",
} as const;

let checked: Record<string, Asked>;
let own: Asked;
let lost: Asked;

beforeAll(async () => {
	cluster = await startCluster({ dualStack: true });
	sides.push(await Side.prepare(cluster), await Side.prepare(cluster));
	const [theirs, ours] = sides as [Side, Side];
	desk = await Desk.open(cluster, ours.world);
	const write = (slices: readonly string[][]) =>
		desk.write({
			spec: local,
			ingress: "VIP",
			slices: slices.map((endpoints) => ({ endpoints })),
			rows: [],
		});
	checked = {
		"two pods here and one elsewhere": await write([
			["pod-1", "pod-2", "pod-3"],
		]),
		"a pod in two slices": await write([["pod-1"], ["pod-1", "pod-3"]]),
		"a pod here that is not ready": await write([["pod-1 not-ready", "pod-2"]]),
		"a pod here that terminates, and one elsewhere": await write([
			["pod-1 terminating", "pod-3"],
		]),
		"a pod elsewhere alone": await write([["pod-3"]]),
		"no pod": await write([]),
	};
	own = await desk.write({
		spec: {
			type: "LoadBalancer",
			loadBalancerSourceRanges: families.map(
				(family) => `${ours.world.addressOf("node", family)}/${bits[family]}`,
			),
		},
		ingress: "VIP",
		slices: [{ endpoints: ["pod-1", "pod-2", "pod-3"] }],
		rows: [],
	});
	for (const side of sides)
		carryOutIn(
			side.world.namespaceOf("node"),
			families.map((family) =>
				addAddress({
					link: LOOPBACK,
					address: own.addresses.ingress[family],
					prefixLength: bits[family],
				}),
			),
		);
	lost = await desk.write({
		spec: { type: "NodePort" },
		slices: [{ endpoints: ["pod-1"] }],
		rows: [],
	});
	kubeProxy = startKubeProxy({
		namespace: theirs.world.namespaceOf("node"),
		node: nodeName,
		kubeconfig: cluster.kubeconfigPath,
		clusterCidrs: ["10.244.0.0/16", "2001:db8:244::/48"],
		args: ["--healthz-bind-address=0.0.0.0:10256"],
	});
	await Promise.all([kubeProxy.synced, ours.startFairlead(cluster)]);
});

afterAll(async () => {
	await kubeProxy?.kill();
	desk?.client.close();
	for (const side of sides) await side.close();
	await cluster?.stop();
});

interface Heard {
	status: number | undefined;
	headers: Record<string, unknown>;
	body: string;
}

/** Asks the node from its own network, as a balancer would. */
function ask(
	side: Side,
	family: (typeof families)[number],
	port: number,
	path: string,
	method = "GET",
): Promise<Heard> {
	const host = side.world.addressOf("node", family);
	const namespace = side.world.namespaceOf("node");
	return new Promise((resolve, reject) => {
		const asked = request(
			{
				host,
				port,
				path,
				method,
				createConnection: () => connectIn(namespace, { host, port }),
			},
			(response) => {
				const { date: _, ...headers } = response.headers;
				for (const name of [
					"connection",
					"keep-alive",
					"content-length",
					"transfer-encoding",
				])
					delete headers[name];
				text(response).then(
					(body) => resolve({ status: response.statusCode, headers, body }),
					reject,
				);
			},
		);
		asked.on("error", reject);
		asked.end();
	});
}

/** What both answer, once each answers at all. */
async function heardFromBoth(
	family: (typeof families)[number],
	port: number,
	path: string,
	method?: string,
): Promise<Heard[]> {
	return Promise.all(
		sides.map((side) =>
			eventually(
				() => ask(side, family, port, path, method),
				({ status }) => expect(status).toBeDefined(),
			),
		),
	);
}

describe.each(families)("at the node's address of %s", (family) => {
	test.each([
		["two pods here and one elsewhere", 200, "2"],
		["a pod in two slices", 200, "1"],
		["a pod here that is not ready", 200, "1"],
		["a pod here that terminates, and one elsewhere", 503, "0"],
		["a pod elsewhere alone", 503, "0"],
		["no pod", 503, "0"],
	])(
		"the healthCheckNodePort of a Service with %s is answered the same, %i and weight %s",
		async (name, status, weight) => {
			const { healthCheckNodePort = 0 } = checked[name]?.service.spec ?? {};
			const [theirs, ours] = await heardFromBoth(
				family,
				healthCheckNodePort,
				"/any/path",
			);
			expect(theirs).toMatchObject({
				status,
				headers: { "x-load-balancing-endpoint-weight": weight },
			});
			expect(ours).toEqual(theirs);
		},
	);

	test.each([
		["/healthz", "GET"],
		["/livez", "GET"],
		["/healthz", "POST"],
		["/healthz?verbose", "GET"],
	])(
		"%s is answered the same to %s, but for the times",
		async (path, method) => {
			const [theirs, ours] = await heardFromBoth(family, 10256, path, method);
			expect(theirs?.status).toBe(200);
			expect(timeless(ours)).toEqual(timeless(theirs));
		},
	);

	test("another path is not found", async () => {
		const [theirs, ours] = await heardFromBoth(family, 10256, "/");
		expect([theirs?.status, ours?.status]).toEqual([404, 404]);
	});
});

/** With `a time` in the place of each time. */
function timeless(heard: Heard | undefined) {
	const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
	return {
		...heard,
		body: JSON.parse(heard?.body ?? "", (_, value: unknown) =>
			typeof value === "string" && isTime.test(value) ? "a time" : value,
		) as unknown,
	};
}

test("a node that is about to go says so at /healthz and nowhere else", async () => {
	const { healthCheckNodePort = 0 } =
		checked["two pods here and one elsewhere"]?.service.spec ?? {};
	const taint = (taints: { key: string; effect: string }[]) =>
		desk.client.patch<Node>(
			resources.nodes,
			{ name: nodeName },
			{ type: "merge", body: { spec: { taints } } },
		);
	await taint([
		{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" },
	]);
	const answers = [];
	for (const side of sides) {
		const healthz = await eventually(
			() => ask(side, "IPv4", 10256, "/healthz"),
			({ status }) => expect(status).toBe(503),
		);
		const livez = await ask(side, "IPv4", 10256, "/livez");
		const check = await ask(side, "IPv4", healthCheckNodePort, "/");
		answers.push([timeless(healthz), timeless(livez), check]);
	}
	const [theirs, ours] = answers;
	expect(theirs).toMatchObject([
		{ status: 503, body: { nodeEligible: false, healthy: true } },
		{ status: 200 },
		{ status: 200 },
	]);
	expect(ours).toEqual(theirs);
	await taint([]);
	for (const side of sides)
		await eventually(
			() => ask(side, "IPv4", 10256, "/healthz"),
			({ status }) => expect(status).toBe(200),
		);
});

describe.each(names)(
	"where a balancer's address is the node's own too, and the node is within the source ranges: %s",
	(name) => {
		test("the node reaches it from that very address, and nobody else does", async () => {
			const ask = async (question: string, expected: string) =>
				new Set(
					await outcomes(
						sideOf(name),
						parseQuestion(question).map((each) => ({
							asked: own,
							question: each,
							expected,
						})),
					),
				);
			expect(await ask("node -> ingress", all("node"))).toEqual(
				new Set([all("node")]),
			);
			expect(await ask("outside, pod-1 -> ingress", "dropped")).toEqual(
				new Set(["dropped"]),
			);
		});
	},
);

test("a client of UDP whose last endpoint goes is refused by Fairlead; kube-proxy leaves it that endpoint", async () => {
	const flows = sides.map((side) =>
		side.world.converse(
			"outside",
			"UDP",
			side.world.addressOf("node", "IPv4"),
			nodePortOf(lost.service, "udp"),
		),
	);
	for (const flow of flows)
		expect(await flow.say()).toEqual({ by: "pod-1", saw: "node" });
	const { name } = lost.service.metadata;
	for (const slice of desk.slicesOf(name, [{ endpoints: [] }]))
		await desk.client.replace<EndpointSlice>(resources.endpointSlices, slice);
	for (const side of sides)
		await eventually(
			async () =>
				new Set(
					await outcomes(
						side,
						parseQuestion("outside -> NodePort IPv4").map((question) => ({
							asked: lost,
							question,
							expected: "refused",
						})),
					),
				),
			(found) => expect(found).toEqual(new Set(["refused"])),
		);
	const [theirs, ours] = await Promise.all(flows.map((flow) => flow.say()));
	expect(ours).toBe("refused");
	expect(theirs).toEqual({ by: "pod-1", saw: "node" });
	for (const flow of flows) flow.close();
});

function nodePortOf(service: Service, portName: string): number {
	const port = service.spec.ports?.find(({ name }) => name === portName);
	if (!port?.nodePort) throw new RangeError(`no node port ${portName}`);
	return port.nodePort;
}
