import { isFairleadError } from "../../operator/errors.ts";
import type {
	BalancerIdentity,
	DesiredBalancer,
	ObservedBalancer,
} from "../../operator/model/balancer/balancer.ts";
import { balancerIdentity } from "../../operator/model/balancer/identity.ts";
import type { Provider } from "../../operator/providers/provider.ts";

/** What the suite needs to try a provider. */
export interface ProviderHarness {
	/** Another provider over the same world, as a process makes it when it starts. */
	provider(clusterId: string): Provider;
	/** Lets at least so much time pass as the world and the providers see it. */
	later(ms: number): Promise<void>;
	/** Nodes the world has, in the order of their names; three or more. */
	nodes: DesiredBalancer["targets"];
	/** Addresses a Service may want; none if the provider picks them. */
	addresses: string[];
	close(): Promise<void>;
}

/** For providers that make something outside of this process: that, as somebody else sees it. */
export interface ProvisioningHarness extends ProviderHarness {
	balancers(): Promise<WorldBalancer[]>;
	/** Somebody else puts a TCP listener and a target on a balancer. */
	addForeign(balancer: string, port: number): Promise<void>;
	/** Somebody else deletes a balancer. */
	remove(balancer: string): Promise<void>;
	/** Cuts a coming call that writes. */
	cut(cut: Cut): void;
	/** Calls that write, so far. */
	writes(): number;
}

export interface Cut {
	/** Which of the coming calls that write: 1 is the next. */
	write: number;
	/** Whether it has its effect; its answer never arrives. */
	when: "before its effect" | "after its effect";
	/** Called when it is cut. */
	then?: () => void;
}

export interface WorldBalancer {
	name: string;
	/** `PROTOCOL/port->nodePort`, sorted. */
	listeners: string[];
	/** Names of nodes, or whatever else is a target, sorted. */
	targets: string[];
}

/** The contract of operator/providers/provider.ts, held against any provider. */
export function describeProvider<H extends ProviderHarness>(
	name: string,
	start: () => Promise<H>,
	more?: (context: Context<H>) => void,
): void {
	describe(`the provider contract: ${name}`, () => {
		const context = {} as Context<H>;
		const providers: Provider[] = [];
		context.provider = (clusterId = "c1") => {
			const provider = context.harness.provider(clusterId);
			providers.push(provider);
			return provider;
		};
		context.desired = (change = {}) => ({
			identity: balancerIdentity("c1", "uid-1"),
			service: { namespace: "shop", name: "web" },
			families: ["IPv4"],
			addresses: context.harness.addresses,
			listeners: [tcp(80, 30080), tcp(443, 30443)],
			targets: context.harness.nodes.slice(0, 2),
			sourceRanges: [],
			...change,
		});
		context.settle = (provider, desired) =>
			settlePasses(context.harness, provider, desired);

		beforeEach(async () => {
			context.harness = await start();
		});
		afterEach(async () => {
			for (const provider of providers.splice(0)) await provider.close();
			await context.harness.close();
		});

		shared(context);
		more?.(context);
	});
}

export interface Context<H extends ProviderHarness> {
	harness: H;
	/** Closed when the test ends. */
	provider: (clusterId?: string) => Provider;
	desired: (change?: Partial<DesiredBalancer>) => DesiredBalancer;
	/** Passes until there is nothing to wait for, as the controller makes them. */
	settle: (
		provider: Provider,
		desired: DesiredBalancer,
	) => Promise<ObservedBalancer>;
}

const signal = new AbortController().signal;

const lostAnswer: Cut = { write: 1, when: "after its effect" };

export function tcp(port: number, nodePort: number) {
	return {
		protocol: "TCP" as const,
		port,
		nodePort,
		healthCheck: {
			protocol: "TCP" as const,
			port: nodePort,
			intervalSeconds: 3,
			timeoutSeconds: 2,
			retries: 2,
		},
	};
}

/** More passes than any change needs. */
const enough = 100;

/** Does what the controller does: a pass, and another when the provider says so or fails at something that may pass. */
async function settlePasses(
	harness: ProviderHarness,
	provider: Provider,
	desired: DesiredBalancer,
	until = signal,
): Promise<ObservedBalancer> {
	let last: unknown;
	for (let pass = 0; pass < enough; pass++) {
		try {
			const observed = await provider.ensure(desired, until);
			if (!observed.pending) return observed;
			last = observed.pending.waitingFor;
			await harness.later(observed.pending.retryAfterMs);
		} catch (error) {
			if (!isFairleadError(error) || !error.retryable) throw error;
			last = error;
			await harness.later(error.retryAfterMs ?? 1_000);
		}
	}
	throw new Error(`not settled after ${enough} passes`, { cause: last });
}

async function deleteAll(
	harness: ProviderHarness,
	provider: Provider,
	identity: BalancerIdentity,
	until = signal,
): Promise<void> {
	for (let pass = 0; pass < enough; pass++) {
		const deletion = await provider.delete(identity, until);
		if (deletion.gone) return;
		await harness.later(deletion.retryAfterMs);
	}
	throw new Error(`not deleted after ${enough} passes`);
}

function shared<H extends ProviderHarness>(context: Context<H>): void {
	const { provider, desired, settle } = context;

	it("gives an address and every port it can carry, one entry for each in the order wanted", async () => {
		const observed = await settle(provider(), desired());
		expect(observed.addresses).toHaveLength(1);
		expect(observed.ports).toEqual([
			{ protocol: "TCP", port: 80, state: "Configured" },
			{ protocol: "TCP", port: 443, state: "Configured" },
		]);
		expect(observed.targetProblems).toEqual([]);
		expect(observed.id).not.toBe("");
	});

	it("gives the same answer to the same wish, from this process and from the next", async () => {
		const first = provider();
		const observed = await settle(first, desired());
		expect(await first.ensure(desired(), signal)).toEqual(observed);
		expect(await settle(provider(), desired())).toEqual(observed);
	});

	it("gives the addresses a Service has already got", async () => {
		const each = provider();
		const { addresses } = await settle(each, desired());
		expect((await settle(each, desired({ addresses }))).addresses).toEqual(
			addresses,
		);
	});

	it("has capabilities that do not change, and refuses what is not among them port by port while the others serve", async () => {
		const each = provider();
		const capabilities = await each.capabilities(signal);
		expect(await each.capabilities(signal)).toEqual(capabilities);
		const { ports } = await settle(
			each,
			desired({
				listeners: [
					{ ...tcp(132, 30132), protocol: "SCTP" },
					tcp(80, 30080),
					{ ...tcp(53, 30053), protocol: "UDP" },
					tcp(81, 0),
				],
			}),
		);
		const has = (protocol: "TCP" | "UDP" | "SCTP") =>
			capabilities.protocols.includes(protocol);
		expect(ports.map(({ port, state }) => [port, state])).toEqual([
			[132, has("SCTP") ? "Configured" : "Refused"],
			[80, "Configured"],
			[53, has("UDP") ? "Configured" : "Refused"],
			[81, capabilities.withoutNodePorts ? "Configured" : "Refused"],
		]);
		for (const { state, reason, message } of ports) {
			if (state !== "Refused") continue;
			expect(reason).toMatch(/^[A-Z][A-Za-z]+$/);
			expect(message).toBeTruthy();
		}
	});

	it("deletes what it made, and has no objection to deleting it again or to what never was", async () => {
		const each = provider();
		const { identity } = desired();
		await settle(each, desired());
		await deleteAll(context.harness, each, identity);
		expect(await each.delete(identity, signal)).toEqual({ gone: true });
		expect(
			await provider().delete(balancerIdentity("c1", "never"), signal),
		).toEqual({ gone: true });
		expect(await each.list("c1", signal)).toEqual([]);
	});

	it("does nothing for a caller that is aborted, and gives its reason back", async () => {
		const each = provider();
		const reason = new Error("stopping");
		const aborted = AbortSignal.abort(reason);
		const { identity } = desired();
		await expect(each.ensure(desired(), aborted)).rejects.toBe(reason);
		await expect(each.delete(identity, aborted)).rejects.toBe(reason);
		await expect(each.list("c1", aborted)).rejects.toBe(reason);
		await expect(each.capabilities(aborted)).rejects.toBe(reason);
	});

	it("takes being told to forget what it never knew", async () => {
		const each = provider();
		each.forget(desired().identity);
		expect((await settle(each, desired())).addresses).toHaveLength(1);
	});
}

/** What only a provider that makes something outside of this process can be asked. */
export function describeProvisioning(
	context: Context<ProvisioningHarness>,
): void {
	const { provider, desired, settle } = context;
	const world = () => context.harness.balancers();
	const node = (at: number) => context.harness.nodes[at]?.node as string;
	const whole = () => ({
		name: desired().identity.name,
		listeners: ["TCP/443->30443", "TCP/80->30080"],
		targets: [node(0), node(1)],
	});

	it("makes one balancer with the listeners and targets wanted", async () => {
		await settle(provider(), desired());
		expect(await world()).toEqual([whole()]);
	});

	it("writes nothing when nothing differs, not even after a restart", async () => {
		const each = provider();
		await settle(each, desired());
		const before = context.harness.writes();
		await each.ensure(desired(), signal);
		await settle(provider(), desired());
		expect(context.harness.writes()).toBe(before);
	});

	it("gives the address before the work is done, and keeps it", async () => {
		const each = provider();
		const first = await each.ensure(desired(), signal);
		const { addresses } = await settle(each, desired());
		expect(first.addresses).toEqual(addresses);
		expect(first.pending?.waitingFor).toBeTruthy();
		expect(first.pending?.retryAfterMs).toBeGreaterThan(0);
	});

	it("makes one balancer when the answer to its creation is lost", async () => {
		context.harness.cut(lostAnswer);
		await settle(provider(), desired());
		expect(await world()).toEqual([whole()]);
	});

	it("makes one balancer when another process takes over after the answer to its creation was lost", async () => {
		context.harness.cut(lostAnswer);
		await provider()
			.ensure(desired(), signal)
			.catch((error: unknown) => {
				if (!isFairleadError(error)) throw error;
			});
		await settle(provider(), desired());
		expect(await world()).toEqual([whole()]);
	});

	it("makes one balancer when two processes want it at once", async () => {
		const [first, second] = [provider(), provider()];
		await Promise.all([settle(first, desired()), settle(second, desired())]);
		expect(await world()).toEqual([whole()]);
	});

	it("adds, changes and removes listeners, whichever answer is lost", async () => {
		const each = provider();
		await settle(each, desired());
		for (const [ports, listeners] of [
			[
				[tcp(80, 30080), tcp(443, 30444)],
				["TCP/443->30444", "TCP/80->30080"],
			],
			[[tcp(80, 30080)], ["TCP/80->30080"]],
			[
				[tcp(80, 30080), tcp(8443, 30443)],
				["TCP/80->30080", "TCP/8443->30443"],
			],
		] as const) {
			context.harness.cut(lostAnswer);
			await settle(each, desired({ listeners: [...ports] }));
			expect(await world()).toEqual([{ ...whole(), listeners }]);
		}
	});

	it("adds and removes targets as nodes come and go, also while no process looks", async () => {
		const { nodes } = context.harness;
		const each = provider();
		await settle(each, desired());
		await settle(each, desired({ targets: nodes.slice(0, 3) }));
		expect((await world())[0]?.targets).toEqual([node(0), node(1), node(2)]);
		await settle(provider(), desired({ targets: nodes.slice(2, 3) }));
		expect((await world())[0]?.targets).toEqual([node(2)]);
	});

	it("never touches what somebody else put on its balancer, whatever it does beside it", async () => {
		const { nodes } = context.harness;
		const each = provider();
		await settle(each, desired());
		await context.harness.addForeign(desired().identity.name, 6443);
		const foreign = (await world())[0]?.targets.filter(
			(target) => !whole().targets.includes(target),
		) as string[];
		each.forget(desired().identity);
		const wanted = desired({
			listeners: [tcp(81, 30081)],
			targets: nodes.slice(1, 3),
		});
		for (const process of [each, provider(), provider()]) {
			await settle(process, wanted);
			expect(await world()).toEqual([
				{
					name: whole().name,
					listeners: ["TCP/6443->6443", "TCP/81->30081"],
					targets: [node(1), node(2), ...foreign].sort(),
				},
			]);
		}
		const { ports } = await settle(
			each,
			desired({ listeners: [tcp(81, 30081), tcp(6443, 30443)] }),
		);
		expect(ports.map(({ port, state }) => [port, state])).toEqual([
			[81, "Configured"],
			[6443, "Refused"],
		]);
	});

	it("makes it anew when somebody deleted it and the caller says to look again", async () => {
		const each = provider();
		await settle(each, desired());
		await context.harness.remove(desired().identity.name);
		each.forget(desired().identity);
		await settle(each, desired());
		expect(await world()).toEqual([whole()]);
	});

	it("lists what carries the cluster's label and nothing else", async () => {
		const other = desired({ identity: balancerIdentity("c2", "uid-1") });
		const second = desired({
			identity: balancerIdentity("c1", "uid-2"),
			service: { namespace: "shop", name: "api" },
		});
		const each = provider();
		const { addresses } = await settle(each, desired());
		await settle(each, second);
		await settle(provider("c2"), other);
		const listed = await provider().list("c1", signal);
		expect(listed.map(({ identity }) => identity)).toEqual([
			desired().identity,
			second.identity,
		]);
		expect(listed[0]).toMatchObject({
			service: { namespace: "shop", name: "web" },
			protected: false,
		});
		expect(listed[0]?.addresses).toEqual(expect.arrayContaining(addresses));
		await deleteAll(context.harness, each, desired().identity);
		await deleteAll(context.harness, each, second.identity);
		expect((await world()).map(({ name }) => name)).toEqual([
			other.identity.name,
		]);
	});

	it("deletes what a process before it made, and is done when the answer to the delete is lost", async () => {
		await settle(provider(), desired());
		context.harness.cut(lostAnswer);
		const each = provider();
		const { identity } = desired();
		await each.delete(identity, signal).catch((error: unknown) => {
			if (!isFairleadError(error)) throw error;
		});
		await deleteAll(context.harness, each, identity);
		expect(await world()).toEqual([]);
	});

	it.each(["before its effect", "after its effect"] as const)(
		"comes to the same end when the process is killed at any one call that writes, %s",
		async (when) => {
			const { nodes } = context.harness;
			const stages: [DesiredBalancer, WorldBalancer][] = [
				[desired(), whole()],
				[
					desired({
						listeners: [tcp(80, 30081), tcp(8443, 30443)],
						targets: nodes.slice(1, 3),
					}),
					{
						name: whole().name,
						listeners: ["TCP/80->30081", "TCP/8443->30443"],
						targets: [node(1), node(2)],
					},
				],
			];
			const { identity } = desired();
			let cut = true;
			let killed = 0;
			for (let write = 1; cut; write++) {
				const life = new AbortController();
				cut = false;
				context.harness.cut({
					write,
					when,
					then() {
						cut = true;
						life.abort(new Error("killed"));
					},
				});
				let process = provider();
				/** As the process that is killed at some point, or as the one that comes after it. */
				const live = async <T>(run: (signal: AbortSignal) => Promise<T>) => {
					if (!cut) {
						const result = await run(life.signal).catch((error: unknown) => {
							if (!cut) throw error;
						});
						if (!cut) return result as T;
						process = provider();
					}
					return run(signal);
				};
				for (const [wanted, expected] of stages) {
					await live((until) =>
						settlePasses(context.harness, process, wanted, until),
					);
					expect(await world()).toEqual([expected]);
				}
				await live((until) =>
					deleteAll(context.harness, process, identity, until),
				);
				expect(await world()).toEqual([]);
				if (write > enough) throw new Error("there is no end to its writes");
				killed += Number(cut);
			}
			// Creating, changing and deleting are three writes at least.
			expect(killed).toBeGreaterThanOrEqual(3);
		},
		120_000,
	);

	it("goes on where it was when it is aborted in the middle", async () => {
		const abort = new AbortController();
		const each = provider();
		const going = each
			.ensure(desired(), abort.signal)
			.catch((error: unknown) => error);
		abort.abort(new Error("stopping"));
		await going;
		await settle(each, desired());
		expect(await world()).toEqual([whole()]);
	});
}
