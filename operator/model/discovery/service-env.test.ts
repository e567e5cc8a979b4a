import type { Service, ServiceSpec } from "../../api/core.ts";
import { serviceEnv } from "./service-env.ts";

const service = (
	name: string,
	spec: ServiceSpec,
	namespace = "shop",
): Service => ({ metadata: { name, namespace }, spec });

const kubernetes = service(
	"kubernetes",
	{ clusterIP: "10.96.0.1", ports: [{ name: "https", port: 443 }] },
	"default",
);
const kubernetesEnv = {
	KUBERNETES_SERVICE_HOST: "10.96.0.1",
	KUBERNETES_SERVICE_PORT: "443",
	KUBERNETES_SERVICE_PORT_HTTPS: "443",
	KUBERNETES_PORT: "tcp://10.96.0.1:443",
	KUBERNETES_PORT_443_TCP: "tcp://10.96.0.1:443",
	KUBERNETES_PORT_443_TCP_PROTO: "tcp",
	KUBERNETES_PORT_443_TCP_PORT: "443",
	KUBERNETES_PORT_443_TCP_ADDR: "10.96.0.1",
};

describe("the Service variables of a container", () => {
	it("name host, first port, named ports and a link for every port", () => {
		const fooBar = service("foo-bar", {
			clusterIP: "10.96.0.17",
			ports: [
				{ name: "http-alt", port: 8080 },
				{ name: "dns", port: 53, protocol: "UDP" },
			],
		});
		expect(serviceEnv([fooBar], "shop", true)).toEqual({
			FOO_BAR_SERVICE_HOST: "10.96.0.17",
			FOO_BAR_SERVICE_PORT: "8080",
			FOO_BAR_SERVICE_PORT_HTTP_ALT: "8080",
			FOO_BAR_SERVICE_PORT_DNS: "53",
			FOO_BAR_PORT: "tcp://10.96.0.17:8080",
			FOO_BAR_PORT_8080_TCP: "tcp://10.96.0.17:8080",
			FOO_BAR_PORT_8080_TCP_PROTO: "tcp",
			FOO_BAR_PORT_8080_TCP_PORT: "8080",
			FOO_BAR_PORT_8080_TCP_ADDR: "10.96.0.17",
			FOO_BAR_PORT_53_UDP: "udp://10.96.0.17:53",
			FOO_BAR_PORT_53_UDP_PROTO: "udp",
			FOO_BAR_PORT_53_UDP_PORT: "53",
			FOO_BAR_PORT_53_UDP_ADDR: "10.96.0.17",
		});
	});

	it("bracket an IPv6 address in URLs and leave it bare elsewhere", () => {
		const six = service("six", {
			clusterIP: "fd00:10:96::7",
			ports: [{ port: 80 }],
		});
		expect(serviceEnv([six], "shop", true)).toEqual({
			SIX_SERVICE_HOST: "fd00:10:96::7",
			SIX_SERVICE_PORT: "80",
			SIX_PORT: "tcp://[fd00:10:96::7]:80",
			SIX_PORT_80_TCP: "tcp://[fd00:10:96::7]:80",
			SIX_PORT_80_TCP_PROTO: "tcp",
			SIX_PORT_80_TCP_PORT: "80",
			SIX_PORT_80_TCP_ADDR: "fd00:10:96::7",
		});
	});

	it("always tell of the API server, in every namespace, with and without links", () => {
		for (const links of [true, false])
			expect(serviceEnv([kubernetes], "shop", links)).toEqual(kubernetesEnv);
	});

	it("tell of no other Service without enableServiceLinks", () => {
		const web = service("web", {
			clusterIP: "10.96.0.9",
			ports: [{ port: 1 }],
		});
		expect(serviceEnv([web, kubernetes], "shop", false)).toEqual(kubernetesEnv);
	});

	it.each<[string, Service]>([
		["of another namespace", service("web", { clusterIP: "10.96.0.9" }, "x")],
		["that is headless", service("web", { clusterIP: "None" })],
		[
			"that is an external name",
			service("web", { type: "ExternalName", externalName: "a.example" }),
		],
		["that waits for its address", service("web", { clusterIP: "" })],
	])("leave out a Service %s", (_what, left) => {
		expect(serviceEnv([left], "shop", true)).toEqual({});
	});

	it("prefer a Service kubernetes of the pod's own namespace, whatever the order", () => {
		const own = service("kubernetes", {
			clusterIP: "10.96.0.50",
			ports: [{ port: 6443 }],
		});
		for (const services of [
			[own, kubernetes],
			[kubernetes, own],
		])
			expect(serviceEnv(services, "shop", true)).toMatchObject({
				KUBERNETES_SERVICE_HOST: "10.96.0.50",
				KUBERNETES_SERVICE_PORT: "6443",
			});
	});
});
