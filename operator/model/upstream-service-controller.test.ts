import type { Service } from "../api/core.ts";
import type { BalancerClass } from "../api/fairlead.ts";
import { annotations, conditions, finalizers } from "../api/names.ts";
import { balancerSourceRanges } from "./balancer/source-ranges.ts";
import { desiredBalancer } from "./balancer/desired.ts";
import { balancerTargets } from "./balancer/targets.ts";
import { intentOf } from "./intent.ts";
import { nextStep } from "./next-step.ts";
import { resolveOwnership } from "./ownership.ts";
import type { Outcome, World } from "./world.ts";

// The cases of the upstream service controller's own tests (k8s.io/cloud-provider 0.37, controllers/service,
// controller_test.go), each held against ours. Where ours differs, the row says so and docs/reference/services.md why.

const cloud: BalancerClass = {
	metadata: { name: "cloud" },
	spec: { provider: "HetznerCloud", default: true },
};
const service = (
	spec: Partial<Service["spec"]> = {},
	metadata: Partial<Service["metadata"]> = {},
): Service => ({
	metadata: {
		name: "web",
		namespace: "shop",
		uid: "123",
		...metadata,
	},
	spec: {
		type: "LoadBalancer",
		ipFamilies: ["IPv4"],
		ports: [
			{
				name: "port-0",
				port: 80,
				nodePort: 30080,
				targetPort: 20,
				protocol: "TCP",
			},
			{
				name: "port-1",
				port: 22,
				nodePort: 30022,
				targetPort: 21,
				protocol: "TCP",
			},
		],
		...spec,
	},
});
const targets = balancerTargets([{ metadata: { name: "node-1" } }]);

const desired = (subject: Service) =>
	desiredBalancer({
		clusterId: "c1",
		service: subject,
		targets,
		addresses: subject.spec.loadBalancerIP ? [subject.spec.loadBalancerIP] : [],
		sourceRanges: balancerSourceRanges(subject),
	});

function world(
	subject: Service,
	outcome: Outcome = { kind: "Unknown" },
): World {
	const ownership = resolveOwnership(subject, [cloud]);
	return {
		service: subject,
		ownership,
		outcome,
		readyEndpoints: true,
		seen: "9",
		now: "2026-01-01T00:00:00Z",
		...(ownership.kind === "Ours"
			? {
					ours: {
						classGuarded: true,
						needsUndo: true,
						addressing: { kind: "Provider" },
						desired: desired(subject),
					},
				}
			: {}),
	};
}

const held = {
	finalizers: [finalizers.classless],
	annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
};
const deleting = { deletionTimestamp: "2026-01-01T00:00:00Z" };

describe("upstream's TestSyncLoadBalancerIfNeeded and TestNeedsCleanup", () => {
	it.each<[string, Service, string]>([
		[
			"a Service that wants no balancer and has no finalizer is left alone",
			service({ type: "ClusterIP" }),
			"nothing",
		],
		[
			"a UDP Service gets finalizer and record before a balancer",
			service({ ports: [{ port: 53, protocol: "UDP" }] }),
			"patch +finalizer EnsuringLoadBalancer",
		],
		[
			"a TCP Service gets finalizer and record before a balancer",
			service(),
			"patch +finalizer EnsuringLoadBalancer",
		],
		[
			"an SCTP Service gets finalizer and record before a balancer",
			service({ ports: [{ port: 36412, protocol: "SCTP" }] }),
			"patch +finalizer EnsuringLoadBalancer",
		],
		[
			"a Service with another's loadBalancerClass is left alone",
			service({ loadBalancerClass: "example.com/lb" }),
			"nothing",
		],
		[
			"a Service with finalizer that no longer wants a balancer loses it",
			service({ type: "ClusterIP" }, held),
			"delete DeletingLoadBalancer",
		],
		[
			"a Service that is being deleted loses its balancer",
			service({}, { ...held, ...deleting }),
			"delete DeletingLoadBalancer",
		],
		[
			"a Service with finalizer and record that wants a balancer gets one",
			service({}, held),
			"ensure",
		],
		[
			"differently from upstream, a finalizer alone, which every cloud controller sets, is no reason to clean up after it",
			service({ type: "ClusterIP" }, { finalizers: held.finalizers }),
			"nothing",
		],
		[
			"differently from upstream, nor is it on a deleted Service of another's class",
			service(
				{ loadBalancerClass: "example.com/lb" },
				{ finalizers: held.finalizers, ...deleting },
			),
			"nothing",
		],
	])("%s", (_row, subject, expected) => {
		const step = nextStep(world(subject));
		const said = [
			step.do,
			step.do === "patch" && step.change.addFinalizer ? "+finalizer" : "",
			"event" in step ? step.event?.reason : "",
		];
		expect(said.filter(Boolean).join(" ")).toBe(expected);
	});

	it("the finalizer goes after the balancer, with upstream's event", () => {
		const gone = nextStep(
			world(service({}, { ...held, ...deleting }), { kind: "Gone" }),
		);
		expect(gone).toMatchObject({
			do: "patch",
			change: { removeFinalizer: finalizers.classless },
			event: { type: "Normal", reason: "DeletedLoadBalancer" },
		});
	});

	it("failures have upstream's reasons", () => {
		const failed: Outcome = {
			kind: "Failed",
			code: "CloudServerError",
			message: "500",
		};
		expect(nextStep(world(service({}, held), failed))).toMatchObject({
			event: { type: "Warning", reason: "SyncLoadBalancerFailed" },
		});
		expect(
			nextStep(world(service({}, { ...held, ...deleting }), failed)),
		).toMatchObject({
			event: { type: "Warning", reason: "DeleteLoadBalancerFailed" },
		});
	});
});

/** Whether the change leads to another call of the provider: another balancer is wanted, or none. */
function needsUpdate(before: Service, after: Service): boolean {
	const want = (subject: Service) => {
		const intent = intentOf(world(subject));
		return intent.kind === "Serve"
			? JSON.stringify({ ...intent.ours.desired, className: intent.className })
			: intent.kind;
	};
	return want(before) !== want(after);
}

const [first, second] = service().spec.ports ?? [];
const portsWith = (change: object) => ({
	ports: [{ ...first, ...change }, second] as Service["spec"]["ports"] & object,
});

describe("upstream's TestNeedsUpdate: what of a Service leads to another look at its balancer", () => {
	it.each<
		[string, Partial<Service["spec"]>, Partial<Service["metadata"]>, boolean]
	>([
		["another type does", { type: "ClusterIP" }, {}, true],
		[
			"another number of ports does",
			{ ports: [first ?? { port: 1 }] },
			{},
			true,
		],
		["another port does", portsWith({ port: 81 }), {}, true],
		["another protocol does", portsWith({ protocol: "UDP" }), {}, true],
		["another nodePort does", portsWith({ nodePort: 30099 }), {}, true],
		["session affinity does", { sessionAffinity: "ClientIP" }, {}, true],
		[
			"its timeout does",
			{
				sessionAffinity: "ClientIP",
				sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } },
			},
			{},
			true,
		],
		["loadBalancerIP does", { loadBalancerIP: "192.0.2.1" }, {}, true],
		[
			"source ranges do",
			{ loadBalancerSourceRanges: ["192.0.2.0/24"] },
			{},
			true,
		],
		["another UID does", {}, { uid: "321" }, true],
		[
			"externalTrafficPolicy with its healthCheckNodePort does",
			{ externalTrafficPolicy: "Local", healthCheckNodePort: 32123 },
			{},
			true,
		],
		["a second family does", { ipFamilies: ["IPv4", "IPv6"] }, {}, true],
		["the same families do not", { ipFamilies: ["IPv4"] }, {}, false],
		[
			"an annotation that a balancer depends on does",
			{},
			{
				annotations: {
					"service.beta.kubernetes.io/load-balancer-source-ranges":
						"192.0.2.0/24",
				},
			},
			true,
		],
		[
			"differently from upstream, any other annotation does not",
			{},
			{ annotations: { "example.com/team": "a" } },
			false,
		],
		[
			"differently from upstream, a port's name does not",
			portsWith({ name: "other" }),
			{},
			false,
		],
		[
			"differently from upstream, targetPort does not: balancers end at nodePorts",
			portsWith({ targetPort: "http" }),
			{},
			false,
		],
		[
			"differently from upstream, appProtocol does not",
			portsWith({ appProtocol: "http" }),
			{},
			false,
		],
		[
			"differently from upstream, the order of ports does not",
			{ ports: [...(service().spec.ports ?? [])].reverse() },
			{},
			false,
		],
		[
			"differently from upstream, externalIPs do not: they are not the balancer's",
			{ externalIPs: ["192.0.2.9"] },
			{},
			false,
		],
		["labels do not", {}, { labels: { a: "b" } }, false],
		["the selector does not", { selector: { app: "web" } }, {}, false],
		[
			"internalTrafficPolicy does not",
			{ internalTrafficPolicy: "Local" },
			{},
			false,
		],
	])("%s", (_row, spec, metadata, expected) => {
		expect(needsUpdate(service(), service(spec, metadata))).toBe(expected);
	});

	it("differently from upstream, a wiped status is written again", () => {
		const step = nextStep(
			world(service({}, held), {
				kind: "Observed",
				balancer: {
					id: "7",
					addresses: ["203.0.113.7"],
					ipMode: "Proxy",
					ports: [
						{ protocol: "TCP", port: 22, state: "Configured" },
						{ protocol: "TCP", port: 80, state: "Configured" },
					],
					targetProblems: [],
				},
			}),
		);
		expect(step).toMatchObject({
			do: "patch",
			change: { ingress: [{ ip: "203.0.113.7", ipMode: "Proxy" }] },
		});
	});

	it("differently from upstream, a Service without any node is told in a condition, which stays, instead of an event", () => {
		const bare = world(service({}, held), {
			kind: "Failed",
			code: "CloudBusy",
			message: "x",
		});
		if (bare.ours) bare.ours.desired.targets = [];
		bare.service.status = {
			loadBalancer: { ingress: [{ ip: "203.0.113.7" }] },
		};
		const step = nextStep(bare);
		const said =
			step.do === "patch"
				? step.change.conditions?.find(
						({ type }) => type === conditions.serving,
					)
				: undefined;
		expect(said).toMatchObject({ status: "False", reason: "NoNodes" });
	});
});
