import type { NodePortPool } from "../../api/fairlead.ts";
import type { Service } from "../../api/core.ts";
import type { KubeClient } from "../../cluster/kube.ts";
import { FairleadError } from "../../errors.ts";
import { portsHeld } from "../../model/nodeports/placeholders.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import { Caches } from "../caches.ts";
import { Ledger } from "./ledger.ts";
import { Placeholders } from "./placeholders.ts";

const range = { first: 30_000, last: 32_767 };
const namespace = "fairlead-system";
const name = "fairlead-keeps-30976-high";

/** Placeholders of one pool, 31000-31004, at an API server that still counts some ports as somebody's. */
function world() {
	const clock = new FakeClock();
	const notFreed = new Set<number>();
	const refusals: FairleadError[] = [];
	let version = 1;
	let stored: Service | undefined;
	const write = async (_resource: unknown, service: Service) => {
		const taken = portsHeld(service).find((port) => notFreed.has(port));
		const refusal = refusals.shift();
		if (refusal) throw refusal;
		if (taken !== undefined)
			throw new FairleadError(
				"KubeInvalid",
				`spec.ports[0].nodePort: Invalid value: ${taken}: provided port is already allocated`,
			);
		stored = structuredClone(service);
		stored.metadata.uid = "placeholder";
		stored.metadata.resourceVersion = String(++version);
		return structuredClone(stored);
	};
	const client = { create: write, replace: write } as unknown as KubeClient;
	const caches = new Caches({
		client,
		namespace,
		clock,
		random: () => 0.5,
		log: quietLog(),
	});
	caches.nodePortPools.apply({
		metadata: { name: "high", uid: "pool-high", resourceVersion: "1" },
		spec: { range: "31000-31004" },
	} as NodePortPool);
	const ledger = new Ledger({
		...{ caches, clock, range, namespace },
		facts: () => [],
	});
	const placeholders = new Placeholders({
		...{ client, caches, ledger, namespace, range },
		troubleChanged: () => {},
	});
	return {
		...{ clock, notFreed, placeholders, refusals },
		held: () => portsHeld(stored),
	};
}

it("asks for a port that the API server had not freed yet as soon as it counts as free again", async () => {
	const { clock, notFreed, placeholders, held } = world();
	notFreed.add(31_000);
	const { retryAfterMs = Number.POSITIVE_INFINITY } =
		await placeholders.sync(name);
	expect(held()).toEqual([31_001, 31_002, 31_003, 31_004]);
	expect(retryAfterMs).toBeLessThanOrEqual(1_000);
	notFreed.clear();
	await clock.advance(retryAfterMs);
	expect(await placeholders.sync(name)).toEqual({});
	expect(held()).toEqual([31_000, 31_001, 31_002, 31_003, 31_004]);
});

it("asks less and less often for a port that stays somebody's, but twice a minute", async () => {
	const { clock, notFreed, placeholders } = world();
	notFreed.add(31_003);
	const waits: (number | undefined)[] = [];
	for (let round = 0; round < 8; round++) {
		const { retryAfterMs } = await placeholders.sync(name);
		waits.push(retryAfterMs);
		await clock.advance(retryAfterMs ?? 0);
	}
	expect(waits).toEqual([
		1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000,
	]);
});

it("says which namespace to create where there is none to hold ports in, until there is", async () => {
	const { placeholders, refusals, held } = world();
	refusals.push(
		new FairleadError(
			"KubeNotFound",
			'POST /api/v1/namespaces/fairlead-system/services: namespaces "fairlead-system" not found',
		),
	);
	await expect(placeholders.sync(name)).rejects.toMatchObject({
		code: "KubeNotFound",
	});
	expect(placeholders.trouble("high")).toEqual([
		"there is no namespace fairlead-system to hold these ports in; create it, or name another with --namespace",
	]);
	await placeholders.sync(name);
	expect(placeholders.trouble("high")).toEqual([]);
	expect(held()).toHaveLength(5);
});
