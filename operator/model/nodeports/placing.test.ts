import fc from "fast-check";
import type { Protocol, ServicePort } from "../../api/core.ts";
import { type Ground, placePorts } from "./placing.ts";
import { inRange, type PortRange } from "./port-range.ts";
import { portKey, protocolOf } from "./request.ts";

const range = { first: 30_000, last: 30_005 };
const open: Ground = {
	holder: () => undefined,
	keptSince: () => undefined,
	blocked: () => false,
};
const tcp = (name: string, port: number, nodePort?: number): ServicePort => ({
	name,
	port,
	protocol: "TCP",
	...(nodePort ? { nodePort } : {}),
});
const udp = (name: string, port: number): ServicePort => ({
	name,
	port,
	protocol: "UDP",
});

test.each<
	[
		string,
		{
			ports: ServicePort[];
			recorded?: Record<string, number>;
			ground?: Partial<Ground>;
		},
		Record<string, number> | undefined,
	]
>([
	["one port", { ports: [tcp("web", 80)] }, { web: 30000 }],
	[
		"two ports",
		{ ports: [tcp("web", 80), tcp("tls", 443)] },
		{ web: 30000, tls: 30001 },
	],
	[
		"TCP and UDP of one port",
		{ ports: [udp("dns", 53), tcp("dns-tcp", 53)] },
		{ dns: 30000, "dns-tcp": 30000 },
	],
	[
		"a port that has one of the pool already",
		{ ports: [tcp("web", 80, 30003), tcp("tls", 443)] },
		{ web: 30003, tls: 30000 },
	],
	[
		"a port that has one of elsewhere",
		{ ports: [tcp("web", 80, 31234)] },
		{ web: 30000 },
	],
	[
		"a port that had one before",
		{ ports: [tcp("web", 80, 31234)], recorded: { web: 30004 } },
		{ web: 30004 },
	],
	[
		"a port whose former one is another's now",
		{
			ports: [tcp("web", 80)],
			recorded: { web: 30004 },
			ground: { holder: (port) => (port === 30004 ? "x/y" : undefined) },
		},
		{ web: 30000 },
	],
	[
		"a lowest port that somebody holds",
		{
			ports: [tcp("web", 80)],
			ground: { holder: (port) => (port === 30000 ? "x/y" : undefined) },
		},
		{ web: 30001 },
	],
	[
		"a lowest port that a process listens on",
		{
			ports: [tcp("web", 80)],
			ground: { blocked: (port) => port === 30000 },
		},
		{ web: 30001 },
	],
	[
		"a port it has, though a process listens on it",
		{
			ports: [tcp("web", 80, 30000)],
			ground: { blocked: (port) => port === 30000 },
		},
		{ web: 30000 },
	],
	[
		"only kept ports left: the one kept longest",
		{
			ports: [tcp("web", 80)],
			ground: {
				keptSince: (port) => (port === 30002 ? "2026-01-01" : "2026-01-02"),
			},
		},
		{ web: 30002 },
	],
	[
		"one port too few",
		{
			ports: [tcp("web", 80), tcp("tls", 443)],
			ground: { holder: (port) => (port < 30005 ? "x/y" : undefined) },
		},
		undefined,
	],
	["no ports", { ports: [] }, {}],
	[
		"a port without a name",
		{ ports: [{ port: 80 }], recorded: { "80/TCP": 30002 } },
		{ "80/TCP": 30002 },
	],
	[
		"a port with the name of a member of objects",
		{ ports: [tcp("constructor", 80)] },
		{ constructor: 30000 },
	],
])("%s", (_what, { ports, recorded = {}, ground = {} }, expected) => {
	const placed = placePorts({
		service: "shop/web",
		ports,
		range,
		recorded,
		ground: { ...open, ...ground },
	});
	expect(placed && Object.fromEntries(placed)).toEqual(expected);
});

/** Services with arbitrary ports, none of them twice for one protocol, as the API server admits them. */
const service = fc
	.uniqueArray(
		fc.record({
			port: fc.integer({ min: 1, max: 4 }),
			protocol: fc.constantFrom<Protocol>("TCP", "UDP", "SCTP"),
			nodePort: fc.option(fc.integer({ min: 29_998, max: 30_012 }), {
				nil: undefined,
			}),
		}),
		{
			maxLength: 6,
			selector: ({ port, protocol }) => `${port}/${protocol}`,
		},
	)
	.map((ports) =>
		ports.map(
			({ port, protocol, nodePort }): ServicePort => ({
				port,
				protocol,
				...(nodePort === undefined ? {} : { nodePort }),
			}),
		),
	);
const wide: PortRange = { first: 30_000, last: 30_010 };
const ports = fc.uniqueArray(fc.integer({ min: 30_000, max: 30_010 }));
const world = fc.record({ service, held: ports, kept: ports, blocked: ports });

function place({
	service: of,
	held,
	kept,
	blocked,
}: {
	service: ServicePort[];
	held: number[];
	kept: number[];
	blocked: number[];
}) {
	return placePorts({
		service: "shop/web",
		ports: of,
		range: wide,
		recorded: {},
		ground: {
			holder: (port) => (held.includes(port) ? "other/one" : undefined),
			keptSince: (port) => (kept.includes(port) ? "2026" : undefined),
			blocked: (port) => blocked.includes(port),
		},
	});
}

test("no port is given twice for one protocol, and none that another Service holds", () => {
	fc.assert(
		fc.property(world, (each) => {
			const placed = place(each);
			if (!placed) return;
			const taken = new Map<string, string>();
			for (const port of each.service) {
				const nodePort = placed.get(portKey(port)) ?? 0;
				expect(inRange(wide, nodePort)).toBe(true);
				expect(each.held).not.toContain(nodePort);
				const key = `${nodePort}/${protocolOf(port)}`;
				expect(taken.get(key)).toBeUndefined();
				taken.set(key, portKey(port));
			}
			expect(placed.size).toBe(each.service.length);
		}),
	);
});

test("what was given once is given again: after the Service has it, and after it was made anew", () => {
	fc.assert(
		fc.property(world, (each) => {
			const placed = place(each);
			if (!placed) return;
			const holding = each.service.map((port) => ({
				...port,
				nodePort: placed.get(portKey(port)) ?? 0,
			}));
			expect(place({ ...each, service: holding })).toEqual(placed);
			const anew = placePorts({
				service: "shop/web",
				ports: each.service.map(({ port, protocol }) => ({
					port,
					...(protocol ? { protocol } : {}),
				})),
				range: wide,
				recorded: Object.fromEntries(placed),
				ground: open,
			});
			expect(anew).toEqual(placed);
		}),
	);
});
