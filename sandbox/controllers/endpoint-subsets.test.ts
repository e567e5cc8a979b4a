import { subsetsOf, truncated } from "./endpoint-subsets.ts";
import { pod, service } from "./test-samples.ts";

const placed = (
	name: string,
	number: number,
	more: Parameters<typeof pod>[1] = {},
) => pod(name, { node: "node-1", ip: `10.244.0.${number}`, ready: 1, ...more });
const idle = (name: string, number: number) =>
	pod(name, { node: "node-1", ip: `10.244.0.${number}` });

/** `ready addresses | others : ports`, by last number. */
const brief = (subsets: ReturnType<typeof subsetsOf>) =>
	subsets.map(({ addresses = [], notReadyAddresses = [], ports = [] }) => {
		const last = ({ ip }: { ip: string }) => ip.split(".").at(-1);
		return `${addresses.map(last).join()}|${notReadyAddresses.map(last).join()}:${ports.map(({ port }) => port).join()}`;
	});

test.each([
	["no pods, no subsets", service(), [], []],
	[
		"ready and others apart",
		service(),
		[placed("a", 1), idle("b", 2)],
		["1|2:8080"],
	],
	[
		"not-ready ones among the ready where they are published",
		service({ publishNotReadyAddresses: true }),
		[placed("a", 1), idle("b", 2)],
		["1,2|:8080"],
	],
	[
		"none that is on its way out",
		service(),
		[placed("a", 1, { leaving: true })],
		[],
	],
	["none that has ended", service(), [placed("a", 1, { phase: "Failed" })], []],
	["none without an address", service(), [pod("a", { ready: 1 })], []],
	[
		"several ports of the same pods together",
		service({
			ports: [
				{ name: "a", port: 1, targetPort: 1 },
				{ name: "b", port: 2, targetPort: 2 },
			],
		}),
		[placed("a", 1)],
		["1|:1,2"],
	],
	[
		"pods with other ports apart",
		service({ ports: [{ port: 80, targetPort: "http" }] }),
		[
			placed("a", 1, { ports: [{ name: "http", containerPort: 1 }] }),
			placed("b", 2, { ports: [{ name: "http", containerPort: 2 }] }),
			placed("c", 3),
		],
		["1|:1", "2|:2"],
	],
	[
		"a headless Service needs no ports",
		service({ clusterIP: "None", ports: [] }),
		[placed("a", 1), idle("b", 2)],
		["1|2:"],
	],
	[
		"only addresses of the first family",
		service({ ipFamilies: ["IPv6", "IPv4"] }),
		[placed("a", 1), placed("b", 2, { ips: ["10.0.0.1", "fd00::2"] })],
		["fd00::2|:8080"],
	],
])("%s", (_, given, pods, expected) => {
	expect(brief(subsetsOf(given, pods))).toEqual(expected);
	expect(subsetsOf(given, pods.toReversed())).toEqual(subsetsOf(given, pods));
});

test.each([
	["1,000 fit", 600, 400, [600, 400]],
	["ready ones go before others", 900, 300, [900, 100]],
	["more ready ones than fit leave no room", 1_200, 50, [1_000, 0]],
])("%s", (_, ready, others, expected) => {
	const addresses = (count: number) =>
		Array.from({ length: count }, (_each, index) => ({ ip: `${index}` }));
	const [subset] = truncated([
		{ addresses: addresses(ready), notReadyAddresses: addresses(others) },
	]);
	expect([
		subset?.addresses?.length ?? 0,
		subset?.notReadyAddresses?.length ?? 0,
	]).toEqual(expected);
});
