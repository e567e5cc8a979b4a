import type { Pod } from "../../api/core.ts";
import { hostPortsOf, trimPod } from "./host-ports.ts";

const pod = (spec: Partial<Pod["spec"]>, status: Pod["status"] = {}): Pod => ({
	metadata: { name: "x", namespace: "a", labels: { big: "label" } },
	spec: { containers: [], nodeName: "n1", ...spec },
	status,
});
const box = (name: string, hostPort?: number, more: object = {}) => ({
	name,
	ports: [
		{ containerPort: 80, ...(hostPort === undefined ? {} : { hostPort }) },
	],
	...more,
});

test.each<[string, Pod, string[]]>([
	["no containers", pod({}), []],
	["a container without a hostPort", pod({ containers: [box("a")] }), []],
	[
		"two containers",
		pod({ containers: [box("a", 30002), box("b", 30001)] }),
		["30001/TCP", "30002/TCP"],
	],
	[
		"a sidecar",
		pod({ initContainers: [box("a", 30001, { restartPolicy: "Always" })] }),
		["30001/TCP"],
	],
	[
		"a container that only prepares",
		pod({ initContainers: [box("a", 30001)] }),
		[],
	],
	[
		"UDP",
		pod({
			containers: [
				{
					name: "a",
					ports: [{ containerPort: 53, hostPort: 30053, protocol: "UDP" }],
				},
			],
		}),
		["30053/UDP"],
	],
	[
		"one that has ended",
		pod({ containers: [box("a", 30001)] }, { phase: "Succeeded" }),
		[],
	],
])("a pod with %s takes %j", (_what, of, expected) => {
	const ports = (each: Pod) =>
		hostPortsOf(each).map(({ port, protocol }) => `${port}/${protocol}`);
	expect(ports(of)).toEqual(expected);
	expect(ports(trimPod(of))).toEqual(expected);
	expect(trimPod(trimPod(of))).toEqual(trimPod(of));
});
