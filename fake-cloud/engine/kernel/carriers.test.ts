import { balancer, service } from "../../../test/support/engine.ts";
import { frontendKey } from "../../../operator/model/rules/program.ts";
import type { Service } from "../../store/records.ts";
import type { EngineBalancer } from "../engine.ts";
import { carrierOf, frontendsOf } from "./carriers.ts";

const udp: Partial<Service> = { protocol: "udp" };
const http: Partial<Service> = {
	protocol: "http",
	http: {
		cookie_name: "c",
		cookie_lifetime: 300,
		certificates: [],
		redirect_http: false,
		sticky_sessions: true,
		timeout_idle: 30,
	},
};

test.each<
	[string, Partial<Service>, Partial<EngineBalancer>, string[], string]
>([
	["TCP", {}, {}, ["192.0.2.1"], "kernel"],
	["UDP", udp, {}, ["192.0.2.1"], "kernel"],
	["TCP without a target", {}, {}, [], "kernel"],
	["affinity", { affinity_seconds: 9 }, {}, ["192.0.2.1"], "kernel"],
	[
		"source ranges",
		{ source_ranges: ["10.0.0.0/8"] },
		{},
		["192.0.2.1"],
		"kernel",
	],
	["the PROXY protocol", { proxyprotocol: true }, {}, [], "userspace"],
	["HTTP", http, {}, ["192.0.2.1"], "userspace"],
	[
		"least_connections",
		{},
		{ algorithm: "least_connections" },
		["192.0.2.1"],
		"userspace",
	],
	["a target of the other family", {}, {}, ["2001:db8::1"], "userspace"],
	[
		"targets of both families",
		{},
		{},
		["192.0.2.1", "2001:db8::1"],
		"userspace",
	],
	["a target on the loopback link", {}, {}, ["127.0.0.1"], "userspace"],
])("%s on an IPv4 address", (_, more, of, targets, engine) => {
	const it = service(8080, more);
	expect(carrierOf(balancer([it], targets, of), "203.0.113.1", it)).toBe(
		engine,
	);
});

test("IPv6 addresses need IPv6 targets", () => {
	const it = service(8080);
	const carrier = (target: string) =>
		carrierOf(balancer([it], [target]), "2001:db8::5", it);
	expect([carrier("192.0.2.1"), carrier("2001:db8::1")]).toEqual([
		"userspace",
		"kernel",
	]);
});

const all = (of: EngineBalancer) => () => of.targets.map(({ key }) => key);

test("a listener becomes a frontend on each address, to the port it goes to", () => {
	const of = balancer(
		[
			service(30080, {
				affinity_seconds: 60,
				source_ranges: ["10.0.0.0/8", "2001:db8::/32"],
			}),
			service(30053, { protocol: "udp", listen_port: 53 }),
		],
		["192.0.2.1"],
		{ addresses: ["203.0.113.1", "203.0.113.2"] },
	);
	const frontends = frontendsOf(of, all(of), false, new Map());
	expect(frontends.map(frontendKey)).toEqual([
		"203.0.113.1|TCP|80",
		"203.0.113.1|UDP|53",
		"203.0.113.2|TCP|80",
		"203.0.113.2|UDP|53",
	]);
	expect(frontends[0]).toMatchObject({
		family: "IPv4",
		service: "balancer/1",
		masquerade: "always",
		whenEmpty: "reject",
		affinitySeconds: 60,
		sourceRanges: ["10.0.0.0/8"],
		endpoints: [{ address: "192.0.2.1", port: 30080 }],
	});
	expect(frontends[1]?.sourceRanges).toBeUndefined();
});

test("ranges of the other family alone admit nobody", () => {
	const of = balancer([service(1, { source_ranges: ["2001:db8::/32"] })], []);
	expect(frontendsOf(of, all(of), false, new Map())[0]?.sourceRanges).toEqual(
		[],
	);
});

test("only targets that may be used are endpoints, and they keep their slots", () => {
	const of = balancer([service(1)], ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
	const addresses = (keys: string[], full = false) => {
		const before = frontendsOf(of, all(of), false, new Map());
		return frontendsOf(
			of,
			() => keys,
			full,
			new Map(before.map((each) => [frontendKey(each), each])),
		)[0]?.endpoints.map(({ address }) => address);
	};
	expect(addresses(["ip:192.0.2.3", "ip:192.0.2.2"])).toEqual([
		"192.0.2.3",
		"192.0.2.2",
	]);
	expect(addresses(["ip:192.0.2.1", "ip:192.0.2.3"])).toEqual([
		"192.0.2.1",
		"192.0.2.3",
	]);
	expect(addresses([])).toEqual([]);
	expect(addresses(["ip:192.0.2.1"], true)).toEqual([]);
});
