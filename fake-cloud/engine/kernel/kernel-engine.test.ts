import { ownNamespace } from "../../../operator/kernel/namespaces.ts";
import type {
	Frontend,
	ProgramChange,
	RulesBackend,
} from "../../../operator/model/rules/program.ts";
import { balancer, service } from "../../../test/support/engine.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import { frontendKey } from "../../../operator/model/rules/program.ts";
import { DialError } from "../engine.ts";
import { engineNetwork } from "../network.ts";
import type { ProbeResult } from "../userspace/probe.ts";
import type { Flow, FlowMatch } from "./flows.ts";
import { KernelEngine } from "./kernel-engine.ts";
import { RulesWriter } from "./rules-writer.ts";

/** A kernel that does what it is told, or refuses. */
class FakeKernel implements RulesBackend {
	frontends = new Map<string, Frontend>();
	readonly addresses = new Set<string>();
	readonly forgotten: FlowMatch[] = [];
	flows: Flow[] = [];
	written: string[] = [];
	refuses: string | undefined;
	refusesAddress: string | undefined;
	changedBy: string | undefined;

	replace({ frontends }: Parameters<RulesBackend["replace"]>[0]): void {
		this.#obey();
		this.changedBy = undefined;
		this.written.push("all");
		this.frontends = new Map(frontends);
	}
	apply({ frontends }: ProgramChange): void {
		this.#obey();
		for (const { before, after } of frontends) {
			const key = frontendKey((after ?? before) as Frontend);
			this.written.push(key);
			// As the real one: what is there must be what was left there.
			expect(this.frontends.get(key)).toEqual(before);
			if (after) this.frontends.set(key, after);
			else this.frontends.delete(key);
		}
	}
	drift(): string | undefined {
		return this.changedBy;
	}
	remove(): void {
		this.frontends.clear();
	}
	close(): void {}

	#obey(): void {
		if (this.refuses) throw new Error(this.refuses);
	}

	/** Where a listener's connections go; undefined without a rule. */
	to(key: string): string[] | undefined {
		return this.frontends
			.get(key)
			?.endpoints.map(({ address, port }) => `${address}:${port}`);
	}
}

const engines: KernelEngine[] = [];
afterEach(async () => {
	for (const engine of engines.splice(0)) await engine.close();
});

function start() {
	const clock = new FakeClock();
	const log = quietLog();
	const kernel = new FakeKernel();
	const ill = new Set<string>();
	const changed: number[] = [];
	const counted: number[] = [];
	const failure: ProbeResult = {
		detail: "layer4_timeout",
		message: "ill",
		httpStatus: null,
	};
	const engine = new KernelEngine({
		clock,
		log,
		network: { namespace: ownNamespace },
		outside: engineNetwork(),
		rules: new RulesWriter(kernel, log),
		flows: {
			list: () => kernel.flows,
			forget: (match) => kernel.forgotten.push(match),
			close() {},
		},
		addresses: {
			add(address) {
				if (address === kernel.refusesAddress)
					throw new Error(`nobody carries ${address}`);
				kernel.addresses.add(address);
			},
			remove: (address) => void kernel.addresses.delete(address),
			close() {},
		},
		probe: async (address) => (ill.has(address) ? failure : undefined),
		changed: (id) => changed.push(id),
		counted: (id) => counted.push(id),
	});
	engines.push(engine);
	return { engine, clock, log, kernel, ill, changed, counted };
}

const targets = ["192.0.2.1", "192.0.2.2"];
const web = "203.0.113.1|TCP|80";
const dns = "203.0.113.1|UDP|53";
const udp = service(30053, { protocol: "udp", listen_port: 53 });
const all = ["192.0.2.1:30080", "192.0.2.2:30080"];

test("a balancer's address is held and its listeners are rules", () => {
	const { engine, kernel } = start();
	engine.set(balancer([service(30080), udp], targets));
	expect([...kernel.addresses]).toEqual(["203.0.113.1"]);
	expect(kernel.to(web)).toEqual(all);
	expect(kernel.to(dns)).toEqual(["192.0.2.1:30053", "192.0.2.2:30053"]);
	expect(
		engine.report(1)?.listeners.map((each) => [each.transport, each.engine]),
	).toEqual([
		["udp", "kernel"],
		["tcp", "kernel"],
	]);
});

test("of an address that the kernel refuses the listeners say so, and the others are held", () => {
	const { engine, kernel } = start();
	kernel.refusesAddress = "2001:db8::1";
	engine.set({
		...balancer([service(30080)], targets),
		addresses: ["2001:db8::1", "203.0.113.1"],
	});
	expect([...kernel.addresses]).toEqual(["203.0.113.1"]);
	expect(engine.report(1)?.listeners[0]?.failure).toBe(
		"nobody carries 2001:db8::1",
	);
});

test("what is set again as it was is not written again", () => {
	const { engine, kernel } = start();
	const one = balancer([service(30080)], targets);
	engine.set(one);
	const before = kernel.written.length;
	engine.set(structuredClone(one));
	expect(kernel.written.length).toBe(before);
});

test("a target that fails its checks leaves the rules, and comes back when it is well", async () => {
	const { engine, kernel, clock, ill, changed } = start();
	engine.set(balancer([service(30080)], targets));
	await clock.advance(0);
	ill.add("192.0.2.1");
	await clock.advance(30_000);
	expect(kernel.to(web)).toEqual(["192.0.2.2:30080"]);
	ill.add("192.0.2.2");
	await clock.advance(30_000);
	expect(kernel.to(web)).toEqual([]);
	ill.clear();
	changed.length = 0;
	await clock.advance(30_000);
	expect(kernel.to(web)?.toSorted()).toEqual(all);
	expect(changed).toContain(1);
});

test("TCP connections to a target that was taken away go on until their time is over", async () => {
	const { engine, kernel, clock } = start();
	engine.set(balancer([service(30080)], targets));
	engine.set(balancer([service(30080)], ["192.0.2.2"]));
	await clock.advance(29_999);
	expect(kernel.forgotten).toEqual([]);
	await clock.advance(1);
	expect(kernel.forgotten).toEqual([
		{
			transport: "tcp",
			address: "203.0.113.1",
			target: { address: "192.0.2.1" },
		},
	]);
});

test("connections to a target that is back in time go on", async () => {
	const { engine, kernel, clock } = start();
	const whole = balancer([service(30080)], targets);
	engine.set(whole);
	engine.set(balancer([], []));
	engine.set(whole);
	await clock.advance(60_000);
	expect(kernel.forgotten).toEqual([]);
});

test("what rules cannot do leaves them, and the report says what carries it", () => {
	const { engine, kernel } = start();
	engine.set(balancer([service(30080)], targets));
	engine.set(balancer([service(30080, { proxyprotocol: true })], targets));
	expect(kernel.to(web)).toBeUndefined();
	expect(engine.report(1)?.listeners[0]?.engine).toBe("userspace");
	engine.set(balancer([service(30080)], targets));
	expect(kernel.to(web)).toEqual(all);
	expect(engine.report(1)?.listeners[0]?.engine).toBe("kernel");
});

test("a balancer that is removed leaves nothing", () => {
	const { engine, kernel } = start();
	engine.set(balancer([service(30080), udp], targets));
	engine.remove(1);
	expect(kernel.frontends.size).toBe(0);
	expect(kernel.addresses.size).toBe(0);
	expect(kernel.forgotten).toContainEqual({ address: "203.0.113.1" });
	expect(() => engine.dial("203.0.113.1", 80)).toThrow(DialError);
});

test("an address that a balancer loses is nobody's", () => {
	const { engine, kernel } = start();
	engine.set(balancer([service(30080)], targets));
	engine.set(balancer([service(30080)], targets, { addresses: [] }));
	expect(kernel.frontends.size).toBe(0);
	expect(kernel.addresses.size).toBe(0);
});

const flow = (id: string, more: Partial<Flow> = {}): Flow => ({
	id,
	transport: "tcp",
	address: "203.0.113.1",
	port: 80,
	target: { address: "192.0.2.1", port: 30080 },
	open: true,
	unanswered: false,
	bytesIn: 10,
	bytesOut: 100,
	...more,
});

test("what the kernel carries is counted", async () => {
	const { engine, kernel, clock, counted } = start();
	engine.set(balancer([service(30080)], targets));
	kernel.flows = [flow("a"), flow("b", { open: false })];
	await clock.advance(1000);
	expect(counted).toEqual([1]);
	const counters = { open: 1, total: 2, failed: 0, bytesIn: 20, bytesOut: 200 };
	const report = engine.report(1);
	expect(report?.counters).toEqual(counters);
	expect(report?.listeners[0]?.counters).toEqual(counters);
	expect(report?.targets[0]?.counters).toEqual(counters);
	expect(report?.targets[1]?.counters.total).toBe(0);
});

test("with as many connections as its type allows a balancer refuses more, until some have ended", async () => {
	const { engine, kernel, clock } = start();
	engine.set(balancer([service(30080), udp], targets, { maxConnections: 2 }));
	kernel.flows = [flow("a"), flow("b")];
	await clock.advance(1000);
	expect(kernel.to(web)).toEqual([]);
	// Without endpoints the datagrams of its clients would be refused, too.
	expect(kernel.to(dns)).not.toEqual([]);
	kernel.flows = [flow("a")];
	await clock.advance(1000);
	expect(kernel.to(web)).toEqual(all);
});

test("rules that the kernel refuses are said on the listeners and tried again", async () => {
	const { engine, kernel, clock, log } = start();
	kernel.refuses = "cannot write rules: EPERM";
	engine.set(balancer([service(30080)], targets));
	await clock.advance(5000);
	expect(engine.report(1)?.listeners[0]?.failure).toBe(
		"cannot write rules: EPERM",
	);
	expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
	kernel.refuses = undefined;
	await clock.advance(1000);
	expect(kernel.to(web)).toEqual(all);
	expect(engine.report(1)?.listeners[0]?.failure).toBeNull();
});

test("rules that somebody else changed are written anew", async () => {
	const { engine, kernel, clock, log } = start();
	engine.set(balancer([service(30080)], targets));
	await clock.advance(0);
	kernel.frontends.clear();
	kernel.changedBy = "nft, process 42";
	await clock.advance(1000);
	expect(kernel.to(web)).toEqual(all);
	expect(log.lines.at(-1)).toMatchObject({
		level: "warn",
		message: expect.stringContaining("nft, process 42"),
	});
});

test("after it is closed nothing is left", async () => {
	const { engine, kernel } = start();
	engine.set(balancer([service(30080)], targets));
	await engine.close();
	expect([kernel.frontends.size, kernel.addresses.size]).toEqual([0, 0]);
});
