import { jest } from "@jest/globals";
import nock from "nock";
import { Registry } from "prom-client";
import type { Service } from "../../operator/api/core.ts";
import type {
	AddressPool,
	BalancerClass,
} from "../../operator/api/fairlead.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { Controller } from "../../operator/controller/controller.ts";
import { eventually } from "../support/eventually.ts";
import { NockKubernetes } from "../support/nock-kubernetes.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(30_000);

const origin = "http://kube.test";
const json = { "content-type": "application/json" };
const status = (code: number, reason: string) => [
	code,
	{ kind: "Status", code, reason, message: reason },
	json,
];
const statusOf = (name: string) =>
	`/api/v1/namespaces/shop/services/${name}/status`;

const fixed = (some: Partial<BalancerClass["spec"]> = {}): BalancerClass => ({
	metadata: { name: "fixed", uid: "class-1" },
	spec: { provider: "Static", default: true, ...some },
});
const cloud: BalancerClass = {
	metadata: { name: "cloud", uid: "class-2" },
	spec: {
		provider: "HetznerCloud",
		default: true,
		hetznerCloud: {
			endpoint: "http://cloud.test/v1",
			tokenSecretRef: { namespace: "fairlead-system", name: "missing" },
		},
	},
};
const pool: AddressPool = {
	metadata: { name: "only", uid: "pool-1" },
	spec: { addresses: ["192.0.2.7/32"] },
};
const service = (
	name: string,
	some: Partial<Service["spec"]> = {},
): Service => ({
	metadata: {
		namespace: "shop",
		name,
		uid: `uid-${name}`,
		creationTimestamp: "2026-01-01T00:00:00Z",
	},
	spec: {
		type: "LoadBalancer",
		ipFamilies: ["IPv4"],
		ports: [{ port: 80, protocol: "TCP", nodePort: 30080 }],
		...some,
	},
});

let kube: NockKubernetes;
let controller: Controller;

beforeEach(() => {
	kube = new NockKubernetes(origin);
	kube.set("balancerclasses", fixed());
	kube.set("addresspools", pool);
	const [log, clock] = [quietLog(), systemClock];
	controller = new Controller({
		client: createKubeClient(NockKubernetes.connection(origin), {
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
});

afterEach(async () => {
	await controller.stop();
	kube.close();
	nock.cleanAll();
});

const ingressOf = (name: string) =>
	kube
		.get<Service>("services", `shop/${name}`)
		?.status?.loadBalancer?.ingress?.map(({ ip }) => ip);
const has = (name: string, addresses: string[] | undefined) =>
	eventually(
		() => ingressOf(name),
		(found) => expect(found).toEqual(addresses),
		8_000,
	);

it("keeps trying a Service that did not settle because every write was refused", async () => {
	let refused = 0;
	kube.answer = ({ method, path }) =>
		method === "PATCH" && path === statusOf("web") && refused++ < 15
			? (status(409, "Conflict") as never)
			: undefined;
	kube.set("services", service("web"));
	controller.start();
	await has("web", ["192.0.2.7"]);
	expect(refused).toBeGreaterThan(15);
});

it("says once that a balancer is there, though the write that says so had to be repeated", async () => {
	const seen: string[] = [];
	kube.answer = ({ method, path, body }) => {
		if (method !== "PATCH" || path !== statusOf("web")) return undefined;
		const text = JSON.stringify(body);
		if (!text.includes('"ingress"') || seen.length > 0) return undefined;
		seen.push(text);
		return status(409, "Conflict") as never;
	};
	kube.set("services", service("web"));
	controller.start();
	await has("web", ["192.0.2.7"]);
	await eventually(
		() => kube.events(),
		(events) => expect(events).toContain("EnsuredLoadBalancer"),
	);
	await controller.stop();
	expect(seen).toHaveLength(1);
	expect(
		kube.events().filter((reason) => reason === "EnsuredLoadBalancer"),
	).toHaveLength(1);
});

it("gives a pool's address to the next one when its holder moves to a class that has addresses of its own", async () => {
	kube.set("services", service("web"));
	controller.start();
	await has("web", ["192.0.2.7"]);
	kube.set(
		"services",
		service("waiting", { loadBalancerClass: "fairlead.dev/fixed" }),
	);
	kube.set("balancerclasses", fixed({ default: false }));
	kube.set("balancerclasses", cloud);
	await has("waiting", ["192.0.2.7"]);
	expect(ingressOf("web") ?? []).not.toContain("192.0.2.7");
});

it("writes the counts of a pool in the end when the API server fails at first", async () => {
	let failures = 0;
	kube.answer = ({ method, path }) =>
		method === "PATCH" && path.includes("/addresspools/") && failures++ < 1
			? (status(500, "InternalError") as never)
			: undefined;
	kube.set("services", service("web"));
	controller.start();
	await eventually(
		() => kube.get<AddressPool>("addresspools", "only")?.status?.ipv4?.assigned,
		(assigned) => expect(assigned).toBe("1"),
	);
	expect(failures).toBeGreaterThan(1);
});

it("writes the status of pools and classes again when somebody wiped it", async () => {
	kube.set("services", service("web"));
	controller.start();
	await has("web", ["192.0.2.7"]);
	const said = () => [
		kube.get<AddressPool>("addresspools", "only")?.status?.ipv4?.assigned,
		kube.get<BalancerClass>("balancerclasses", "fixed")?.status?.conditions?.[0]
			?.status,
	];
	await eventually(said, (found) => expect(found).toEqual(["1", "True"]));
	for (const [plural, name] of [
		["addresspools", "only"],
		["balancerclasses", "fixed"],
	] as const) {
		const { status: _, ...wiped } = kube.get<AddressPool>(plural, name) ?? pool;
		kube.set(plural, wiped);
	}
	await eventually(said, (found) => expect(found).toEqual(["1", "True"]));
});
