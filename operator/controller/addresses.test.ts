import fc from "fast-check";
import { assignedCondition } from "../../test/support/assigned-condition.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { Service } from "../api/core.ts";
import type { AddressPool, HeldAddress } from "../api/fairlead.ts";
import { annotations } from "../api/names.ts";
import { timeText } from "../clock.ts";
import type { KubeClient } from "../cluster/kube.ts";
import { poolStatusChange } from "../model/addresses/pool-status.ts";
import { assignmentOf, formatAssignment } from "../model/assignment.ts";
import { Addresses } from "./addresses.ts";
import { Caches } from "./caches.ts";

const retentionMs = 60_000;

/** What the API server keeps, and one controller after the other that works on it; a crash forgets all but the former. */
class World {
	readonly clock = new FakeClock();
	readonly caches: Caches;
	addresses: Addresses;
	/** Who holds what as it was recorded, for every record ever made. */
	readonly recorded: string[] = [];
	#version = 1;
	#uids = 0;

	constructor(size: number) {
		this.caches = new Caches({
			client: {} as KubeClient,
			clock: this.clock,
			random: () => 0.5,
			log: quietLog(),
			namespace: "fairlead-system",
		});
		this.caches.classes.put({
			metadata: { name: "lan", ...this.#next() },
			spec: { provider: "Static", default: true },
		});
		this.caches.pools.put({
			metadata: { name: "p", ...this.#next() },
			spec: { addresses: [`10.0.0.0-10.0.0.${size - 1}`], retention: "1m" },
		});
		this.addresses = this.#start();
	}

	/** A new process reads what is written. */
	crash(): void {
		this.addresses.stop();
		this.addresses = this.#start();
	}

	make(name: string): void {
		if (this.#service(name)) return;
		this.caches.services.put({
			metadata: {
				namespace: "shop",
				name,
				creationTimestamp: timeText(this.clock.now()),
				...this.#next(`uid-${this.#uids++}`),
			},
			spec: {
				type: "LoadBalancer",
				ipFamilies: ["IPv4"],
				ports: [{ port: 80 }],
			},
		});
	}

	/** What a sync of the Service does; `dies` before it has written the record. */
	sync(name: string, dies = false): void {
		const service = this.#service(name);
		if (!service || service.metadata.deletionTimestamp) return;
		const addressing = this.addresses.addressing(service, "lan");
		if (dies) return this.crash();
		if (addressing.kind !== "Pools") return;
		const before = assignmentOf(service)?.addresses ?? [];
		const { addresses } = addressing.assignment;
		if (before.join() === addresses.join()) return;
		this.#checkPromises(name, addresses);
		this.recorded.push(`${name} ${addresses.join()}`);
		this.caches.services.put({
			...service,
			metadata: {
				...service.metadata,
				...this.#next(service.metadata.uid),
				annotations: {
					[annotations.assigned]: formatAssignment({
						...addressing.assignment,
						number: "1",
					}),
				},
			},
			status: { conditions: [assignedCondition(...addresses)] },
		});
	}

	/** Deletes a Service, whose finalizer waits for the pool's word; `dies` before or after that is written. */
	async leave(name: string, dies?: "early" | "late"): Promise<void> {
		const service = this.#service(name);
		if (!service) return;
		const leaving = {
			...service,
			metadata: {
				...service.metadata,
				...this.#next(service.metadata.uid),
				deletionTimestamp: timeText(this.clock.now()),
			},
		};
		this.caches.services.put(leaving);
		if (dies === "early") return this.crash();
		if (this.addresses.mustNote(leaving)) await this.addresses.note(leaving);
		if (dies === "late") return this.crash();
		this.caches.services.remove(leaving);
		this.addresses.release(leaving);
	}

	write(): void {
		const found = this.caches.pools.get("p") as AddressPool;
		const facts = this.addresses.factsOf("p");
		if (!facts) return;
		const status = poolStatusChange(found.status, facts, "");
		if (!status) return;
		this.caches.pools.put({
			...found,
			metadata: { name: "p", ...this.#next(found.metadata.uid) },
			status: { ...found.status, ...status },
		});
	}

	held(): HeldAddress[] {
		const now = this.clock.now();
		return (this.caches.pools.get("p")?.status?.held ?? []).filter(
			({ until = "" }) => Date.parse(until) > now,
		);
	}

	/** Addresses of Services that are there, as recorded on them. */
	holders(): string[] {
		return [...this.caches.services.values()].flatMap(
			(service) => assignmentOf(service)?.addresses ?? [],
		);
	}

	/** The very moment before an address is recorded: nobody else has it, and it was promised to nobody else. */
	#checkPromises(name: string, addresses: string[]): void {
		for (const address of addresses) {
			expect(this.holders()).not.toContain(address);
			for (const entry of this.held())
				if (entry.address === address)
					expect(entry.service).toBe(`shop/${name}`);
		}
		const promised = this.held()
			.filter(({ service }) => service === `shop/${name}`)
			.map(({ address }) => address);
		if (promised.length > 0)
			expect(promised).toEqual(expect.arrayContaining(addresses));
	}

	#service(name: string): Service | undefined {
		return this.caches.services.get(`shop/${name}`);
	}

	#next(uid = `u${this.#version}`): { uid: string; resourceVersion: string } {
		return { uid, resourceVersion: String(++this.#version) };
	}

	#start(): Addresses {
		const addresses = new Addresses({
			caches: this.caches,
			clock: this.clock,
			wake: () => {},
			wakeExternal: () => {},
			changed: () => {},
			write: async () => this.write(),
		});
		addresses.start();
		return addresses;
	}
}

type Step =
	| { do: "make" | "sync" | "sync and die"; name: string }
	| { do: "leave" | "leave, die early" | "leave, die late"; name: string }
	| { do: "crash" | "write" | "wait" };

const name = fc.constantFrom("a", "b", "c", "d");
const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 5,
		arbitrary: fc.record({
			do: fc.constantFrom("make", "sync", "sync", "sync and die"),
			name,
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({
			do: fc.constantFrom("leave", "leave, die early", "leave, die late"),
			name,
		}),
	},
	{
		weight: 2,
		arbitrary: fc.record({ do: fc.constantFrom("crash", "write", "wait") }),
	},
);
const history = fc.array(step, { maxLength: 40, size: "max" });

async function play(steps: readonly Step[], size: number): Promise<World> {
	const world = new World(size);
	for (const each of steps)
		switch (each.do) {
			case "make":
				world.make(each.name);
				break;
			case "sync":
			case "sync and die":
				world.sync(each.name, each.do !== "sync");
				break;
			case "leave":
				await world.leave(each.name);
				break;
			case "leave, die early":
			case "leave, die late":
				await world.leave(
					each.name,
					each.do === "leave, die early" ? "early" : "late",
				);
				break;
			case "crash":
				world.crash();
				break;
			case "write":
				world.write();
				break;
			case "wait":
				await world.clock.advance(retentionMs / 2);
		}
	return world;
}

test("whatever is killed when, no address is recorded twice, and what was kept for a name goes to nobody else", async () => {
	await fc.assert(
		fc.asyncProperty(
			history,
			fc.integer({ min: 1, max: 4 }),
			async (steps, size) => {
				const world = await play(steps, size);
				const holders = world.holders();
				expect(new Set(holders).size).toBe(holders.length);
			},
		),
		{ numRuns: 150 },
	);
});

test("the same history ends in the same objects and the same memory, byte for byte", async () => {
	await fc.assert(
		fc.asyncProperty(history, async (steps) => {
			const [first, second] = await Promise.all(
				[0, 1].map(async () => {
					const world = await play(steps, 3);
					return JSON.stringify([
						world.recorded,
						world.held(),
						world.addresses.allocator.snapshot(),
					]);
				}),
			);
			expect(second).toBe(first);
		}),
		{ numRuns: 50 },
	);
});

test("once everything is settled and written, a restart knows exactly what was known before it", async () => {
	await fc.assert(
		fc.asyncProperty(history, async (steps) => {
			const world = await play(steps, 3);
			for (const each of ["a", "b", "c", "d"]) {
				const service = world.caches.services.get(`shop/${each}`);
				if (service?.metadata.deletionTimestamp) await world.leave(each);
				// Once to get the address, once more with the record on the Service.
				world.sync(each);
				world.sync(each);
			}
			world.write();
			const facts = world.addresses.factsOf("p");
			const { holders, holds } = world.addresses.allocator.snapshot();
			world.crash();
			expect(world.addresses.factsOf("p")).toEqual(facts);
			const again = world.addresses.allocator.snapshot();
			expect({ holders: again.holders, holds: again.holds }).toEqual({
				holders,
				holds,
			});
		}),
		{ numRuns: 50 },
	);
});
