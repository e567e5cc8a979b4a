import fc from "fast-check";
import type { Service } from "../../api/core.ts";
import { annotations } from "../../api/names.ts";
import { defaultNodePortRange } from "./port-range.ts";
import { readNodePortRequest } from "./request.ts";

const service = (value?: string): Service => ({
	metadata: {
		name: "web",
		namespace: "shop",
		...(value === undefined
			? {}
			: { annotations: { [annotations.nodePorts]: value } }),
	},
	spec: {
		type: "LoadBalancer",
		ports: [
			{ name: "web", port: 80, protocol: "TCP" },
			{ name: "dns", port: 53, protocol: "UDP" },
			{ name: "dns-tcp", port: 53, protocol: "TCP" },
		],
	},
});
const read = (value?: string) =>
	readNodePortRequest(service(value), defaultNodePortRange);

test("a Service without the annotation asks for nothing", () => {
	expect(read()).toEqual({ kind: "None" });
});

test.each<[string, Record<string, number>]>([
	["web=30080", { web: 30080 }],
	[" web = 30080 , dns=30053 ", { web: 30080, dns: 30053 }],
	["80/TCP=30080", { web: 30080 }],
	["80/tcp=30080,53/udp=30053", { web: 30080, dns: 30053 }],
	["dns=30053,dns-tcp=30053", { dns: 30053, "dns-tcp": 30053 }],
])("%j asks for %j", (value, expected) => {
	const request = read(value);
	expect(request.kind).toBe("Ports");
	if (request.kind === "Ports")
		expect(Object.fromEntries(request.ports)).toEqual(expected);
});

test("one word is the name of a pool", () => {
	expect(read(" edge ")).toEqual({ kind: "Pool", pool: "edge" });
});

test.each<[string, string, string]>([
	["nothing", "", "it is empty"],
	["a bare number", "30080", "write PORTNAME=NODEPORT pairs"],
	["a name no pool can have", "My Pool", "write PORTNAME=NODEPORT pairs"],
	["half a pair", "web=", '"web=" is no pair'],
	["a pair too long", "web=30080=30081", "is no pair"],
	["a comma too many", "web=30080,", '"" is no pair'],
	[
		"a port it has not",
		"http=30080",
		'no port "http"; it has web, dns, dns-tcp',
	],
	["a protocol it has not", "80/UDP=30080", 'no port "80/UDP"'],
	["a port below the range", "web=80", "take one of 30000-32767"],
	["a port above the range", "web=32768", "take one of 30000-32767"],
	["no number", "web=http", '"http" is no NodePort'],
	["a signed number", "web=+30080", "is no NodePort"],
	["one port twice", "web=30080,80/TCP=30081", "port web stands in it twice"],
	[
		"one NodePort twice for one protocol",
		"web=30080,dns-tcp=30080",
		"ports web and dns-tcp cannot both have NodePort 30080/TCP",
	],
])("%s is refused: %j", (_what, value, message) => {
	const request = read(value);
	expect(request.kind).toBe("Invalid");
	if (request.kind !== "Invalid") return;
	expect(request.message).toContain(message);
	expect(request.message).toContain(annotations.nodePorts);
});

test("whatever the annotation says, the answer is a request or one short sentence", () => {
	fc.assert(
		fc.property(fc.string({ unit: "binary", maxLength: 2_000 }), (value) => {
			const request = read(value);
			if (request.kind !== "Invalid") return;
			expect(request.message.length).toBeLessThan(500);
		}),
	);
});
