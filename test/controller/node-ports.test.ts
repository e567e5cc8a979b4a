import { jest } from "@jest/globals";
import nock from "nock";
import { Registry } from "prom-client";
import type { Service } from "../../operator/api/core.ts";
import type { NodePortPool } from "../../operator/api/fairlead.ts";
import { annotations, conditions } from "../../operator/api/names.ts";
import { systemClock } from "../../operator/clock.ts";
import { createKubeClient } from "../../operator/cluster/client.ts";
import { Controller } from "../../operator/controller/controller.ts";
import { eventually } from "../support/eventually.ts";
import { NockKubernetes } from "../support/nock-kubernetes.ts";
import { quietLog } from "../support/quiet-log.ts";

jest.setTimeout(30_000);

const origin = "http://kube.test";
const json = { "content-type": "application/json" };

let kube: NockKubernetes;
let controller: Controller | undefined;

function start(): void {
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
	controller.start();
}

beforeEach(() => {
	kube = new NockKubernetes(origin);
	kube.set("nodeportpools", {
		metadata: { name: "edge", uid: "pool-edge" },
		spec: { range: "30010" },
	} as NodePortPool);
});
afterEach(async () => {
	await controller?.stop();
	controller = undefined;
	kube.close();
	nock.cleanAll();
});

const ask = (name: string) =>
	kube.set<Service>("services", {
		metadata: {
			namespace: "shop",
			name,
			uid: `uid-${name}`,
			annotations: { [annotations.nodePorts]: "edge" },
		},
		spec: { type: "NodePort", ports: [{ port: 80, protocol: "TCP" }] },
	});
const get = (name: string) => kube.get<Service>("services", `shop/${name}`);
const assigned = () =>
	kube
		.get<NodePortPool>("nodeportpools", "edge")
		?.status?.assigned?.filter(({ released }) => released === undefined)
		.map(({ service }) => service);
const has = (name: string, nodePort: number) =>
	eventually(
		() => get(name)?.spec.ports?.[0]?.nodePort,
		(port) => expect(port).toBe(nodePort),
	);
const says = (name: string, reason: string) =>
	eventually(
		() =>
			get(name)?.status?.conditions?.find(
				({ type }) => type === conditions.nodePorts,
			)?.reason,
		(said) => expect(said).toBe(reason),
	);

it("a Service gets no port of a pool before the pool says so, however often that cannot be written", async () => {
	let refused = 0;
	const recorded: unknown[] = [];
	kube.answer = ({ method, path }) => {
		if (method !== "PATCH") return undefined;
		if (path.endsWith("/nodeportpools/edge/status") && refused++ < 3)
			return [
				422,
				{ kind: "Status", code: 422, reason: "Invalid", message: "no" },
				json,
			];
		if (path.endsWith("/services/web")) recorded.push(assigned());
		return undefined;
	};
	ask("web");
	start();
	await has("web", 30010);
	expect(recorded).toEqual([["shop/web"]]);
});

it("a pool whose status somebody wipes says again what it gave to whom", async () => {
	ask("web");
	start();
	await has("web", 30010);
	// The last that is written by itself.
	await eventually(
		() => kube.get<NodePortPool>("nodeportpools", "edge")?.status?.used,
		(used) => expect(used).toBe(1),
	);
	const { status: _, ...wiped } = kube.get<NodePortPool>(
		"nodeportpools",
		"edge",
	) as NodePortPool;
	kube.set("nodeportpools", wiped);
	await eventually(assigned, (list) => expect(list).toEqual(["shop/web"]));
});

it("who waits for a full pool is served one after another, as its port comes free", async () => {
	ask("a");
	start();
	await has("a", 30010);
	for (const name of ["b", "c", "d"]) {
		ask(name);
		await says(name, "PoolExhausted");
	}
	// It wants none any more by the time there is one.
	kube.remove("services", "shop/b");
	kube.remove("services", "shop/a");
	await has("c", 30010);
	kube.remove("services", "shop/c");
	await has("d", 30010);
});
