import nock from "nock";
import { Registry } from "prom-client";
import type { Node, Service } from "../../operator/api/core.ts";
import type { BalancerClass } from "../../operator/api/fairlead.ts";
import {
	annotations,
	conditions,
	finalizers,
} from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { Controller } from "../../operator/controller/controller.ts";
import { balancerIdentity } from "../../operator/model/balancer/identity.ts";
import { eventually as within } from "../support/eventually.ts";
import { NockKubernetes } from "../support/nock-kubernetes.ts";
import { quietLog } from "../support/quiet-log.ts";

const kubeOrigin = "http://kube.test";
const cloudOrigin = "http://cloud.test";
const { name: balancerName } = balancerIdentity("c1", "uid-1");
const path = "/api/v1/namespaces/shop/services/web/status";
const classPath = "/apis/fairlead.dev/v1alpha1/balancerclasses/cloud";
const paging = "page=1&per_page=50";
const listPath = `/v1/load_balancers?label_selector=fairlead.dev%2Fcluster%3Dc1&${paging}`;
const findPath = `/v1/load_balancers?label_selector=fairlead.dev%2Fservice-uid%3Duid-1&${paging}`;
const actionsPath = `/v1/load_balancers/actions?status=running&${paging}`;
const balancers = (...list: unknown[]) => ({
	load_balancers: list,
	meta: { pagination: { page: 1, next_page: null } },
});

const cloud: BalancerClass = {
	metadata: { name: "cloud", uid: "class-1" },
	spec: {
		provider: "HetznerCloud",
		default: true,
		hetznerCloud: {
			endpoint: `${cloudOrigin}/v1`,
			tokenSecretRef: { namespace: "fairlead-system", name: "token" },
			location: "fsn1",
		},
	},
};
const secret = {
	metadata: { namespace: "fairlead-system", name: "token" },
	data: { token: Buffer.from("sesame").toString("base64") },
};
const node: Node = {
	metadata: { name: "node-1", uid: "node-1" },
	spec: { providerID: "hcloud://41" },
	status: { addresses: [{ type: "InternalIP", address: "10.0.0.1" }] },
};
const web: Service = {
	metadata: { namespace: "shop", name: "web", uid: "uid-1" },
	spec: {
		type: "LoadBalancer",
		ipFamilies: ["IPv4"],
		ports: [{ port: 80, protocol: "TCP", nodePort: 30080 }],
	},
};

/** Nothing here waits for anything but promises and short timers. */
const eventually: typeof within = (read, holds) => within(read, holds, 4_000);

let kube: NockKubernetes;
let scope: nock.Scope;
let cloudCalls: string[];
let controller: Controller | undefined;
let log: ReturnType<typeof quietLog>;

/** The one answer to the next call of this kind. */
function on(method: string, uri: string, body?: unknown) {
	return scope.intercept(uri, method, body as nock.RequestBodyMatcher);
}

function start(): Controller {
	log = quietLog();
	const clock = systemClock;
	controller = new Controller({
		client: createKubeClient(NockKubernetes.connection(kubeOrigin), {
			clock,
			log,
			userAgent: "fairlead-controller",
		}),
		clock,
		random: Math.random,
		log,
		metrics: new Registry(),
		identity: "test",
		leaseNamespace: undefined,
		clusterId: "c1",
		workers: 4,
		auditSchedule: "0 0 1 1 *",
	});
	controller.start();
	return controller;
}

const condition = (type: string): string | undefined => {
	const found = kube
		.get<Service>("services", "shop/web")
		?.status?.conditions?.find((each) => each.type === type);
	return found && `${found.status}/${found.reason}: ${found.message}`;
};
const ingress = () =>
	kube.get<Service>("services", "shop/web")?.status?.loadBalancer?.ingress;

/** The balancer as the cloud shows it, made from what the controller sent. */
function madeFrom(sent: Record<string, unknown>) {
	return {
		...sent,
		load_balancer_type: { name: "lb11" },
		location: { name: "fsn1", network_zone: "eu-central" },
		id: 7,
		created: "2026-01-01T00:00:00+00:00",
		protection: { delete: false },
		public_net: {
			enabled: true,
			ipv4: { ip: "203.0.113.7", dns_ptr: null },
			ipv6: { ip: "2001:db8::7", dns_ptr: null },
		},
		targets: (sent.targets as object[]).map((target) => ({
			...target,
			health_status: [],
		})),
	};
}

const action = (id: number, command: string, status: string) => ({
	id,
	command,
	status,
	progress: status === "success" ? 100 : 0,
	error: null,
	resources: [{ id: 7, type: "load_balancer" }],
});

/** The cloud up to a balancer that is made and done; resolves with it once ingress is written. */
async function provisioned(): Promise<Record<string, unknown>> {
	let made: Record<string, unknown> = {};
	on("GET", "/v1/fairlead/capabilities").reply(404, {
		error: { code: "not_found", message: "no" },
	});
	on("GET", actionsPath).reply(200, { actions: [] });
	on("GET", listPath).reply(200, balancers());
	on("GET", findPath).reply(200, balancers());
	scope.post("/v1/load_balancers").reply((async (request: Request) => {
		made = madeFrom((await request.json()) as Record<string, unknown>);
		return [
			201,
			{
				load_balancer: made,
				action: action(1, "create_load_balancer", "running"),
			},
			{ "content-type": "application/json" },
		];
	}) as never);
	on("GET", "/v1/actions?id=1&per_page=50").reply(200, {
		actions: [action(1, "create_load_balancer", "success")],
	});
	kube.set("services", web);
	start();
	await eventually(ingress, (value) => expect(value).toHaveLength(1));
	// The class says for itself that it is ready; what follows is about Services.
	await eventually(
		() => kube.get<BalancerClass>("balancerclasses", "cloud")?.status,
		(status) => expect(status?.conditions).toHaveLength(1),
	);
	kube.calls.splice(
		kube.calls.findIndex((call) => call.path === `${classPath}/status`),
		1,
	);
	return made;
}

beforeEach(() => {
	cloudCalls = [];
	kube = new NockKubernetes(kubeOrigin);
	scope = nock(cloudOrigin, { reqheaders: { authorization: "Bearer sesame" } });
	scope.on("request", ({ method, url }: Request) => {
		const { pathname, search } = new URL(url);
		cloudCalls.push(`${method} ${pathname}${search}`);
	});
	kube.set("balancerclasses", cloud);
	kube.set("secrets", secret);
	kube.set("nodes", node);
});

afterEach(async () => {
	await controller?.stop();
	controller = undefined;
	kube.close();
	nock.cleanAll();
});

describe("a Service of the default class", () => {
	it("gets guard, balancer, record and ingress, in that order and by no other call", async () => {
		const made = await provisioned();
		expect(kube.writes()).toEqual([
			`PATCH ${classPath}`,
			`PATCH ${path}`,
			`PATCH ${path}`,
			`PATCH ${path}`,
		]);
		expect(cloudCalls).toEqual([
			"GET /v1/fairlead/capabilities",
			`GET ${actionsPath}`,
			`GET ${listPath}`,
			`GET ${findPath}`,
			"POST /v1/load_balancers",
			"GET /v1/actions?id=1&per_page=50",
		]);
		expect(made).toMatchObject({
			name: balancerName,
			labels: {
				"fairlead.dev/cluster": "c1",
				"fairlead.dev/service-uid": "uid-1",
				"fairlead.dev/service-namespace": "shop",
				"fairlead.dev/service-name": "web",
			},
			location: { name: "fsn1" },
			services: [{ listen_port: 80, destination_port: 30080 }],
			targets: [{ type: "server", server: { id: 41 } }],
		});
		const [guard, first, second, third] = kube.calls
			.filter((call) => call.method === "PATCH")
			.map((call) => call.body as Record<string, unknown>);
		expect(guard).toMatchObject({
			metadata: { finalizers: [finalizers.classInUse] },
		});
		expect(first).toMatchObject({
			metadata: {
				uid: "uid-1",
				resourceVersion: expect.stringMatching(/^\d+$/) as string,
				finalizers: [finalizers.classless],
				annotations: { [annotations.provisionedBy]: "cloud/HetznerCloud" },
			},
		});
		expect(second).toMatchObject({
			metadata: {
				annotations: {
					[annotations.assigned]: expect.stringContaining(
						'"203.0.113.7"',
					) as string,
				},
			},
		});
		expect(second?.status).not.toHaveProperty("loadBalancer");
		expect(third).toMatchObject({
			status: {
				loadBalancer: { ingress: [{ ip: "203.0.113.7", ipMode: "Proxy" }] },
			},
		});
		await eventually(
			() => kube.events(),
			(events) =>
				expect(events).toEqual(["EnsuringLoadBalancer", "EnsuredLoadBalancer"]),
		);
	});

	it("makes no writing call, and none to the cloud but one look, when the controller starts again over a settled world", async () => {
		const made = await provisioned();
		await controller?.stop();
		kube.calls.length = 0;
		cloudCalls = [];
		on("GET", "/v1/fairlead/capabilities").reply(404, {
			error: { code: "not_found", message: "no" },
		});
		on("GET", listPath).reply(200, balancers(made));
		on("GET", actionsPath).reply(200, { actions: [] });
		start();
		await eventually(
			() => cloudCalls.length,
			(count) => expect(count).toBe(3),
		);
		await controller?.stop();
		expect(kube.writes()).toEqual([]);
		expect(cloudCalls.every((call) => call.startsWith("GET"))).toBe(true);
	});

	it("adds a node that joins by one call, after a fresh look and after writing down that the target is ours", async () => {
		const made = await provisioned();
		cloudCalls = [];
		const before = kube.writes().length;
		on("GET", "/v1/load_balancers/7").reply(200, { load_balancer: made });
		on("POST", "/v1/load_balancers/7/actions/add_target", {
			type: "server",
			server: { id: 42 },
			use_private_ip: false,
		}).reply(201, { action: action(2, "add_target", "success") });
		scope
			.put("/v1/load_balancers/7")
			.reply((async (request: Request) => [
				200,
				{ load_balancer: { ...made, ...((await request.json()) as object) } },
				{ "content-type": "application/json" },
			]) as never);
		kube.set("nodes", {
			...node,
			metadata: { name: "node-2", uid: "node-2" },
			spec: { providerID: "hcloud://42" },
		});
		await eventually(
			() => cloudCalls,
			(calls) =>
				expect(calls).toEqual([
					"GET /v1/load_balancers/7",
					"PUT /v1/load_balancers/7",
					"POST /v1/load_balancers/7/actions/add_target",
				]),
		);
		expect(kube.writes()).toHaveLength(before);
	});

	it("deletes the balancer, then lets the Service go", async () => {
		await provisioned();
		cloudCalls = [];
		const { calls } = kube;
		calls.length = 0;
		scope.get(findPath).optionally().reply(200, balancers());
		on("DELETE", "/v1/load_balancers/7").reply(201, {
			action: action(3, "delete_load_balancer", "success"),
		});
		scope
			.get("/v1/load_balancers/7")
			.optionally()
			.reply(404, { error: { code: "not_found", message: "gone" } });
		scope
			.get(/\/v1\/actions\?/)
			.optionally()
			.reply(200, { actions: [action(3, "delete_load_balancer", "success")] });
		const going = kube.get<Service>("services", "shop/web") as Service;
		kube.set("services", {
			...going,
			metadata: {
				...going.metadata,
				deletionTimestamp: "2026-01-01T00:00:00Z",
			},
		});
		await eventually(
			() => kube.get("services", "shop/web"),
			(found) => expect(found).toBeUndefined(),
		);
		expect(cloudCalls).toContain("DELETE /v1/load_balancers/7");
		expect(kube.writes()).toEqual([`PATCH ${path}`]);
		expect(calls.find((call) => call.method === "PATCH")?.body).toMatchObject({
			metadata: {
				"$deleteFromPrimitiveList/finalizers": [finalizers.classless],
			},
		});
	});

	it("writes ingress again when somebody wiped the status, without asking the cloud", async () => {
		await provisioned();
		cloudCalls = [];
		const { status: _, ...wiped } = kube.get<Service>(
			"services",
			"shop/web",
		) as Service;
		kube.set("services", wiped);
		await eventually(ingress, (value) => expect(value).toHaveLength(1));
		expect(cloudCalls).toEqual([]);
	});

	it("is left as it is, without a word, when the controller stops in the midst of it", async () => {
		const reached = Promise.withResolvers<void>();
		const served = Promise.withResolvers<void>();
		kube.hold = ({ method, path: at }) => {
			if (method !== "PATCH" || at !== path) return undefined;
			reached.resolve();
			return served.promise;
		};
		kube.set("services", web);
		start();
		await reached.promise;
		const stopped = controller?.stop();
		served.resolve();
		await stopped;
		expect(kube.get("services", "shop/web")?.metadata.finalizers).toEqual([
			finalizers.classless,
		]);
		expect(
			log.lines.filter(({ level }) => level === "warn" || level === "error"),
		).toEqual([]);
		expect(cloudCalls).toEqual([]);
	});

	it("reads the Service again when somebody else changed it first", async () => {
		let conflicts = 0;
		kube.answer = ({ method, path: at }) => {
			if (method !== "PATCH" || at !== path || conflicts++ > 0)
				return undefined;
			kube.set("services", {
				...web,
				metadata: { ...web.metadata, labels: { changed: "yes" } },
			});
			return [
				409,
				{ kind: "Status", code: 409, reason: "Conflict", message: "changed" },
				{ "content-type": "application/json" },
			];
		};
		await provisioned();
		expect(kube.get("services", "shop/web")?.metadata.labels).toEqual({
			changed: "yes",
		});
		expect(kube.get("services", "shop/web")?.metadata.finalizers).toEqual([
			finalizers.classless,
		]);
	});
});

describe("a Service whose cloud cannot serve it", () => {
	const json = { "content-type": "application/json" };
	it.each<[string, number, unknown, Record<string, string>, string]>([
		[
			"answers 500",
			500,
			{ error: { code: "service_error", message: "sorry" } },
			json,
			"CloudServerError",
		],
		[
			"answers 429 and says how long to wait, which is no failure and no event",
			429,
			{ error: { code: "rate_limit_exceeded", message: "slow down" } },
			{ ...json, "retry-after": "30" },
			"CloudRateLimited",
		],
		["answers garbage", 200, "<html>hello</html>", {}, "CloudBadAnswer"],
		[
			"does not accept the token",
			401,
			{ error: { code: "unauthorized", message: "unable to authenticate" } },
			json,
			"CloudUnauthorized",
		],
	])(
		"is told why when the cloud %s",
		async (_what, code, body, head, reason) => {
			scope
				.persist()
				.get(() => true)
				.reply(code, body as never, head);
			kube.set("services", web);
			start();
			await eventually(
				() => condition(conditions.provisioned),
				(text) => expect(text).toContain(`False/${reason}`),
			);
			expect(condition(conditions.provisioned)).not.toContain("sesame");
			expect(ingress()).toBeUndefined();
			await eventually(
				() => kube.events(),
				(events) =>
					expect(events).toEqual(
						code === 429
							? ["EnsuringLoadBalancer"]
							: ["EnsuringLoadBalancer", "SyncLoadBalancerFailed"],
					),
			);
		},
	);

	it("is told which Secret is missing, while another class serves its own", async () => {
		kube.remove("secrets", "fairlead-system/token");
		kube.set("balancerclasses", {
			metadata: { name: "lab", uid: "class-2" },
			spec: { provider: "Static" },
		});
		kube.set("addresspools", {
			metadata: { name: "blue", uid: "pool-1" },
			spec: { addresses: ["198.51.100.8/32"] },
		});
		kube.set("services", web);
		kube.set("services", {
			...web,
			metadata: { namespace: "shop", name: "other", uid: "uid-2" },
			spec: { ...web.spec, loadBalancerClass: "fairlead.dev/lab" },
		});
		start();
		await eventually(
			() => condition(conditions.provisioned),
			(text) =>
				expect(text).toContain(
					"False/CloudTokenMissing: Secret fairlead-system/token",
				),
		);
		await eventually(
			() =>
				kube.get<Service>("services", "shop/other")?.status?.loadBalancer
					?.ingress,
			(value) => expect(value).toEqual([{ ip: "198.51.100.8", ipMode: "VIP" }]),
		);
	});
});
