import type { EndpointSlice, Service } from "../../../operator/api/core.ts";
import { servicePath } from "./service-path.ts";

const service = (
	spec: Service["spec"],
	status?: Service["status"],
): Service => ({
	metadata: { namespace: "default", name: "hello" },
	spec,
	...(status && { status }),
});

const slice = (some: Partial<EndpointSlice>): EndpointSlice => ({
	metadata: { namespace: "default", name: "hello-1" },
	addressType: "IPv4",
	...some,
});

const pod = (name: string, address: string, conditions = {}) => ({
	addresses: [address],
	nodeName: "node-1",
	targetRef: { kind: "Pod", name },
	conditions,
});

test("a balanced Service leads from its ingress addresses over its NodePort to its pods", () => {
	expect(
		servicePath(
			service(
				{
					type: "LoadBalancer",
					clusterIPs: ["10.96.0.7"],
					externalTrafficPolicy: "Local",
					ports: [{ name: "http", port: 80, nodePort: 30080 }],
				},
				{
					loadBalancer: {
						ingress: [{ ip: "203.0.113.1" }, { hostname: "lb.example" }],
					},
				},
			),
			[
				slice({
					endpoints: [pod("b", "10.244.1.10"), pod("a", "10.244.1.9")],
					ports: [{ name: "http", port: 8080 }],
				}),
			],
		),
	).toEqual({
		namespace: "default",
		name: "hello",
		type: "LoadBalancer",
		ingress: ["203.0.113.1", "lb.example"],
		externalIPs: [],
		clusterIPs: ["10.96.0.7"],
		externalName: null,
		externalTrafficPolicy: "Local",
		ports: [
			{
				name: "http",
				protocol: "TCP",
				port: 80,
				nodePort: 30080,
				endpoints: [
					{
						pod: "a",
						node: "node-1",
						address: "10.244.1.9",
						port: 8080,
						state: "ready",
					},
					{
						pod: "b",
						node: "node-1",
						address: "10.244.1.10",
						port: 8080,
						state: "ready",
					},
				],
			},
		],
	});
});

test.each([
	["that is ready", { ready: true }, "ready"],
	["nobody said anything about", {}, "ready"],
	["that is not ready", { ready: false }, "not ready"],
	["on its way out", { ready: false, terminating: true }, "terminating"],
] as const)("a pod %s is shown so", (_, conditions, state) => {
	const path = servicePath(service({ ports: [{ port: 80 }] }), [
		slice({
			endpoints: [pod("a", "10.244.1.2", conditions)],
			ports: [{ port: 8080 }],
		}),
	]);
	expect(path.ports[0]?.endpoints).toMatchObject([{ state }]);
});

test("the ports of a Service have the endpoints of their own name and protocol only", () => {
	const path = servicePath(
		service({
			ports: [
				{ name: "dns", port: 53, protocol: "UDP" },
				{ name: "dns-tcp", port: 53 },
			],
		}),
		[
			slice({
				endpoints: [pod("a", "10.244.1.2")],
				ports: [{ name: "dns", port: 5353, protocol: "UDP" }],
			}),
		],
	);
	expect(path.ports.map((port) => port.endpoints.length)).toEqual([1, 0]);
});

test("a headless Service has no address of its own, an ExternalName one only a name", () => {
	expect(servicePath(service({ clusterIPs: ["None"] }), [])).toMatchObject({
		clusterIPs: [],
	});
	expect(
		servicePath(
			service({ type: "ExternalName", externalName: "a.example" }),
			[],
		),
	).toMatchObject({ externalName: "a.example", clusterIPs: [] });
});
