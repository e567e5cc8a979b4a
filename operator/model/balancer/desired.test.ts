import type { Node, Service } from "../../api/core.ts";
import { desiredBalancer } from "./desired.ts";
import { balancerIdentity } from "./identity.ts";
import { balancerTargets, isBalancerTarget } from "./targets.ts";

const node = (change: Partial<Node> & { labels?: Record<string, string> }) => ({
	metadata: { name: "n1", ...(change.labels ? { labels: change.labels } : {}) },
	...change,
});
const exclude = "node.kubernetes.io/exclude-from-external-load-balancers";

describe("nodes that balancers send traffic to", () => {
	it.each<[string, Node, boolean]>([
		["an ordinary node is one", node({}), true],
		[
			"a node that is not ready is one: health checks decide",
			node({ status: { conditions: [{ type: "Ready", status: "False" }] } }),
			true,
		],
		[
			"a node that is being deleted is none",
			{ metadata: { name: "n1", deletionTimestamp: "2026-01-01T00:00:00Z" } },
			false,
		],
		["an excluded node is none", node({ labels: { [exclude]: "" } }), false],
		[
			"a node excluded by a word Go cannot read is none",
			node({ labels: { [exclude]: "no" } }),
			false,
		],
		[
			"a node whose exclusion says false is one",
			node({ labels: { [exclude]: "false" } }),
			true,
		],
		[
			"a node the autoscaler is about to remove is none",
			node({
				spec: {
					taints: [
						{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" },
					],
				},
			}),
			false,
		],
		[
			"a tainted node is one",
			node({ spec: { taints: [{ key: "other", effect: "NoSchedule" }] } }),
			true,
		],
	])("%s", (_row, subject, expected) => {
		expect(isBalancerTarget(subject)).toBe(expected);
	});

	it("stand in order of their names, whatever order they came in", () => {
		const names = ["c", "a", "b"].map((name) => ({ metadata: { name } }));
		expect(balancerTargets(names).map((target) => target.node)).toEqual([
			"a",
			"b",
			"c",
		]);
	});
});

describe("what a Service needs of its balancer", () => {
	const desired = (spec: Service["spec"]) =>
		desiredBalancer({
			clusterId: "c1",
			service: {
				metadata: { name: "web", namespace: "shop", uid: "u1" },
				spec,
			},
			targets: [],
			addresses: [],
			sourceRanges: [],
		});

	it.each<[string, Partial<Service["metadata"]>, boolean, string | undefined]>([
		["it has no address yet", {}, false, undefined],
		["it has an address nobody of ours recorded", {}, true, "Ask"],
		[
			"its address is recorded as ours",
			{
				annotations: {
					"fairlead.dev/assigned":
						'{"addresses":["203.0.113.7"],"class":"cloud","number":"1"}',
				},
			},
			true,
			undefined,
		],
		[
			"the user says to take it over",
			{ annotations: { "fairlead.dev/adopt": "hcloud-ccm" } },
			false,
			"Take",
		],
		[
			"the user says to leave it",
			{ annotations: { "fairlead.dev/adopt": "no" } },
			true,
			undefined,
		],
		[
			"the user says something else",
			{ annotations: { "fairlead.dev/adopt": "yes" } },
			true,
			"Ask",
		],
	])(
		"is what another controller made for it, or is not: %s",
		(_row, metadata, shown, adopt) => {
			const { adopt: found } = desiredBalancer({
				clusterId: "c1",
				service: {
					metadata: { name: "web", namespace: "shop", uid: "u1", ...metadata },
					spec: { type: "LoadBalancer", ports: [] },
					...(shown
						? { status: { loadBalancer: { ingress: [{ ip: "203.0.113.7" }] } } }
						: {}),
				},
				targets: [],
				addresses: [],
				sourceRanges: [],
			});
			expect(found).toBe(adopt);
		},
	);

	it("is one listener a port, in order of protocol and port", () => {
		expect(
			desired({
				ports: [
					{ port: 443, nodePort: 30443 },
					{ port: 53, protocol: "UDP", nodePort: 30053 },
					{ port: 53, protocol: "TCP", nodePort: 30053 },
				],
			}).listeners.map(({ protocol, port }) => `${protocol}/${port}`),
		).toEqual(["TCP/53", "TCP/443", "UDP/53"]);
	});

	it("is checked by the node's own word under externalTrafficPolicy Local", () => {
		const [listener] = desired({
			externalTrafficPolicy: "Local",
			healthCheckNodePort: 32000,
			ports: [{ port: 80, nodePort: 30080 }],
		}).listeners;
		expect(listener?.healthCheck).toMatchObject({
			protocol: "HTTP",
			port: 32000,
			path: "/healthz",
		});
	});

	it("checks a UDP port by the first TCP port of the Service", () => {
		const [, udp] = desired({
			ports: [
				{ port: 80, nodePort: 30080 },
				{ port: 53, protocol: "UDP", nodePort: 30053 },
			],
		}).listeners;
		expect(udp?.healthCheck).toMatchObject({ protocol: "TCP", port: 30080 });
	});

	it("keeps a client for three hours unless the Service says otherwise", () => {
		expect(desired({ sessionAffinity: "ClientIP" }).affinitySeconds).toBe(
			10_800,
		);
		expect(
			desired({
				sessionAffinity: "ClientIP",
				sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
			}).affinitySeconds,
		).toBe(60);
		expect(desired({}).affinitySeconds).toBeUndefined();
	});

	it("has a name that fits a label, differs by cluster, and is the same each time", () => {
		const uid = "66e30f59-f96a-4e91-8e63-972e26ede35f";
		const { name } = balancerIdentity("cluster-a", uid);
		expect(name.length).toBeLessThanOrEqual(63);
		expect(balancerIdentity("cluster-a", uid).name).toBe(name);
		expect(balancerIdentity("cluster-b", uid).name).not.toBe(name);
	});
});
