import type { Service } from "../../api/core.ts";
import { formatIp } from "./ip.ts";
import { reasonText } from "./reasons.ts";
import { readRequest } from "./request.ts";

const dualStack = ["IPv4", "IPv6"];

function service(
	annotations: Record<string, string>,
	spec: Record<string, unknown> = {},
): Service {
	return {
		metadata: {
			name: "web",
			namespace: "shop",
			uid: "u1",
			creationTimestamp: "2026-01-01T00:00:00Z",
			annotations,
		},
		spec: { type: "LoadBalancer", ipFamilies: ["IPv4"], ...spec },
	};
}
const read = (object: Service) =>
	readRequest(object, { className: "lan", namespaceLabels: { team: "a" } });

test.each([
	[
		"our annotation",
		{ "fairlead.dev/addresses": "192.0.2.1" },
		{},
		["192.0.2.1"],
	],
	[
		"MetalLB's annotation",
		{ "metallb.io/loadBalancerIPs": "192.0.2.1" },
		{},
		["192.0.2.1"],
	],
	["spec.loadBalancerIP", {}, { loadBalancerIP: "192.0.2.1" }, ["192.0.2.1"]],
	[
		"all three saying the same",
		{
			"fairlead.dev/addresses": "192.0.2.1",
			"metallb.io/loadBalancerIPs": " 192.0.2.1 ",
		},
		{ loadBalancerIP: "192.0.2.1" },
		["192.0.2.1"],
	],
	[
		"two spellings of the same",
		{ "fairlead.dev/addresses": "2001:DB8::0:1" },
		{ ipFamilies: ["IPv6"], loadBalancerIP: "2001:db8::1" },
		["2001:db8::1"],
	],
	[
		"two families, in the order of ipFamilies",
		{ "fairlead.dev/addresses": "2001:db8::1, 192.0.2.1" },
		{ ipFamilies: dualStack },
		["192.0.2.1", "2001:db8::1"],
	],
	[
		"one family of two",
		{ "fairlead.dev/addresses": "2001:db8::1" },
		{ ipFamilies: dualStack },
		["2001:db8::1"],
	],
	[
		"the same address twice",
		{ "fairlead.dev/addresses": "192.0.2.1,192.0.2.1," },
		{},
		["192.0.2.1"],
	],
	["an empty annotation", { "fairlead.dev/addresses": "" }, {}, []],
])(
	"addresses asked for by %s are read",
	(_what, annotations, spec, addresses) => {
		const result = read(service(annotations as Record<string, string>, spec));
		expect(
			result.ok && result.request.requestedAddresses.map(formatIp),
		).toEqual(addresses);
	},
);

test.each([
	[
		"no address",
		{ "fairlead.dev/addresses": "house" },
		{},
		"AddressInvalid",
		'fairlead.dev/addresses: "house" is not an IP address',
	],
	[
		"a leading zero",
		{},
		{ loadBalancerIP: "192.0.2.01" },
		"AddressInvalid",
		"spec.loadBalancerIP: ",
	],
	[
		"two addresses of one family",
		{ "fairlead.dev/addresses": "192.0.2.1,192.0.2.2" },
		{},
		"RequestConflict",
		"asks for two IPv4 addresses, 192.0.2.1 and 192.0.2.2",
	],
	[
		"a family the Service lacks",
		{ "fairlead.dev/addresses": "2001:db8::1" },
		{},
		"FamilyNotWanted",
		"asks for 2001:db8::1, but the Service's ipFamilies are IPv4",
	],
	[
		"two annotations that differ",
		{
			"fairlead.dev/addresses": "192.0.2.1",
			"metallb.io/loadBalancerIPs": "192.0.2.2",
		},
		{},
		"RequestConflict",
		"fairlead.dev/addresses asks for 192.0.2.1 and metallb.io/loadBalancerIPs for 192.0.2.2; remove one",
	],
	[
		"an annotation against the field",
		{ "fairlead.dev/addresses": "192.0.2.1" },
		{ loadBalancerIP: "192.0.2.2" },
		"RequestConflict",
		"spec.loadBalancerIP for 192.0.2.2",
	],
	[
		"two pools",
		{ "fairlead.dev/pool": "a", "metallb.io/address-pool": "b" },
		{},
		"RequestConflict",
		'annotation fairlead.dev/pool says "a" and metallb.io/address-pool says "b"; remove one',
	],
	[
		"two sharing keys",
		{ "fairlead.dev/sharing-key": "a", "metallb.io/allow-shared-ip": "b" },
		{},
		"RequestConflict",
		'fairlead.dev/sharing-key says "a"',
	],
])(
	"a Service that asks for %s is told so",
	(_what, annotations, spec, code, text) => {
		const result = read(service(annotations as Record<string, string>, spec));
		expect(result).toMatchObject({ ok: false, reasons: [{ code }] });
		expect(!result.ok && result.reasons.map(reasonText).join()).toContain(text);
	},
);

test.each([
	[
		"thousands of addresses that are none",
		{ "fairlead.dev/addresses": "1,".repeat(5_000) },
	],
	["an address far too long", { "fairlead.dev/addresses": "€".repeat(20_000) }],
	[
		"two pools far too long",
		{
			"fairlead.dev/pool": "a".repeat(20_000),
			"metallb.io/address-pool": "b".repeat(20_000),
		},
	],
])(
	"a Service that asks for %s is told so in few words",
	(_what, annotations) => {
		const result = read(
			service(annotations as unknown as Record<string, string>),
		);
		expect(!result.ok && result.reasons.length).toBeGreaterThan(0);
		expect(
			!result.ok && result.reasons.map(reasonText).join().length,
		).toBeLessThan(600);
	},
);

test("a Service with wishes that conflict can still be adopted with what it holds", () => {
	const result = read(
		service({
			"fairlead.dev/pool": "a",
			"metallb.io/address-pool": "b",
			"fairlead.dev/sharing-key": "k",
		}),
	);
	expect(result.ok).toBe(false);
	expect(result.request).toMatchObject({ uid: "u1", sharingKey: "k" });
	expect(result.request.requestedPool).toBeUndefined();
});

test("everything an allocation depends on is read from the Service", () => {
	const object = service(
		{ "metallb.io/address-pool": "a", "metallb.io/allow-shared-ip": "k" },
		{
			ipFamilies: ["IPv6", "IPv4"],
			ipFamilyPolicy: "RequireDualStack",
			ports: [{ port: 53, protocol: "UDP" }, { port: 80 }],
			externalTrafficPolicy: "Local",
			selector: { app: "web" },
		},
	);
	object.metadata.labels = { tier: "front" };
	expect(read(object)).toEqual({
		ok: true,
		request: {
			uid: "u1",
			namespace: "shop",
			name: "web",
			namespaceLabels: { team: "a" },
			serviceLabels: { tier: "front" },
			createdAt: "2026-01-01T00:00:00Z",
			className: "lan",
			use: "LoadBalancer",
			families: ["IPv6", "IPv4"],
			policy: "RequireDualStack",
			requestedAddresses: [],
			requestedPool: "a",
			sharingKey: "k",
			ports: ["UDP/53", "TCP/80"],
			externalTrafficPolicy: "Local",
			selector: { app: "web" },
		},
	});
});

test.each([
	["an IPv6 clusterIP", { clusterIP: "fd00::1" }, ["IPv6"]],
	["no clusterIP yet", {}, ["IPv4"]],
])(
	"a Service without ipFamilies and with %s wants %j",
	(_what, spec, families) => {
		const object = service({}, spec);
		delete object.spec.ipFamilies;
		expect(read(object).request.families).toEqual(families);
	},
);
