import type { Protocol } from "../../api/core.ts";
import { compile } from "./compile.ts";
import {
	describeTables,
	node1,
	serviceOf,
	sliceOf,
} from "../../../test/support/rules-world.ts";

const clusterIP = "pod -> 10.96.0.10 TCP 80";

describeTables({
	"a Service without slices": {
		slices: [],
		rows: [["is rejected", clusterIP, "rejected"]],
	},
	"a Service whose endpoints are not ready": {
		slices: [sliceOf(["10.244.1.2@node-1 not-ready"])],
		rows: [["is rejected", clusterIP, "rejected"]],
	},
	"a Service whose endpoints are published although not ready": {
		services: [serviceOf({ publishNotReadyAddresses: true })],
		slices: [sliceOf(["10.244.1.2@node-1"])],
		rows: [
			[
				"is served: its slice calls them ready",
				clusterIP,
				"to 10.244.1.2:8080",
			],
		],
	},
	"ready endpoints beside others": {
		slices: [
			sliceOf([
				"10.244.1.2@node-1",
				"10.244.1.3@node-1 not-ready",
				"10.244.1.4@node-1 terminating",
				"10.244.1.5@node-1 gone",
			]),
		],
		rows: [["are the only ones used", clusterIP, "to 10.244.1.2:8080"]],
	},
	"endpoints that all terminate": {
		slices: [
			sliceOf([
				"10.244.1.2@node-1 terminating",
				"10.244.2.2@node-2 terminating",
				"10.244.2.3@node-2 gone",
			]),
		],
		rows: [
			[
				"are used while they serve",
				clusterIP,
				"to 10.244.1.2:8080, 10.244.2.2:8080",
			],
		],
	},
	"endpoints that terminate and serve no more": {
		slices: [sliceOf(["10.244.1.2@node-1 gone"])],
		rows: [["are not used", clusterIP, "rejected"]],
	},
	"endpoints without conditions": {
		slices: [{ ...sliceOf([]), endpoints: [{ addresses: ["10.244.1.2"] }] }],
		rows: [["are ready", clusterIP, "to 10.244.1.2:8080"]],
	},
	"an endpoint without address": {
		slices: [
			{
				...sliceOf([]),
				endpoints: [{ addresses: [] }, { addresses: ["10.244.1.2"] }],
			},
		],
		rows: [["is left out", clusterIP, "to 10.244.1.2:8080"]],
	},
	"an endpoint with two addresses": {
		slices: [
			{
				...sliceOf([]),
				endpoints: [{ addresses: ["10.244.1.2", "10.244.1.3"] }],
			},
		],
		rows: [["is used by its first", clusterIP, "to 10.244.1.2:8080"]],
	},
	"several slices": {
		slices: [
			sliceOf(["10.244.1.2@node-1"]),
			sliceOf(["10.244.2.2@node-2"], { name: "web-2" }),
		],
		rows: [
			["are used together", clusterIP, "to 10.244.1.2:8080, 10.244.2.2:8080"],
		],
	},
	"an endpoint in two slices": {
		slices: [
			sliceOf(["10.244.1.2@node-1"]),
			sliceOf(["10.244.1.2@node-1", "10.244.2.2@node-2"], { name: "web-2" }),
		],
		rows: [
			["is one endpoint", clusterIP, "to 10.244.1.2:8080, 10.244.2.2:8080"],
		],
	},
	"an address that a terminating and a new pod share": {
		slices: [
			sliceOf(["10.244.1.2@node-1"]),
			sliceOf(["10.244.1.2@node-1 terminating"], { name: "web-2" }),
		],
		rows: [["is the new pod's", clusterIP, "to 10.244.1.2:8080"]],
	},
	"the same in the other order": {
		slices: [
			sliceOf(["10.244.1.2@node-1 gone"], { name: "web-0" }),
			sliceOf(["10.244.1.2@node-1"]),
		],
		rows: [["is the new pod's", clusterIP, "to 10.244.1.2:8080"]],
	},
	"a slice with IPv6 addresses under addressType IPv4": {
		slices: [sliceOf(["fd00::1@node-1", "10.244.1.2@node-1"])],
		rows: [["gives only what is of its type", clusterIP, "to 10.244.1.2:8080"]],
	},
	"a slice of the family the Service lacks": {
		slices: [sliceOf(["fd00::1@node-1"], { family: "IPv6" })],
		rows: [["gives nothing", clusterIP, "rejected"]],
	},
	"a slice of domain names": {
		slices: [sliceOf(["db.example@node-1"], { family: "FQDN" })],
		rows: [["gives nothing", clusterIP, "rejected"]],
	},
	"a slice of another Service": {
		slices: [sliceOf(["10.244.1.2@node-1"], { service: "other" })],
		rows: [["gives nothing", clusterIP, "rejected"]],
	},
	"a slice of a Service of that name in another namespace": {
		slices: [sliceOf(["10.244.1.2@node-1"], { namespace: "elsewhere" })],
		rows: [["gives nothing", clusterIP, "rejected"]],
	},
	"a slice of another proxy": {
		slices: [
			sliceOf(["10.244.1.2@node-1"], {
				labels: { "service.kubernetes.io/service-proxy-name": "other" },
			}),
		],
		rows: [
			[
				"counts, for the Service's own label decides",
				clusterIP,
				"to 10.244.1.2:8080",
			],
		],
	},
	"a slice whose port has another name": {
		slices: [
			sliceOf(["10.244.1.2@node-1"], {
				ports: [{ name: "https", protocol: "TCP", port: 8443 }],
			}),
		],
		rows: [["gives nothing for this port", clusterIP, "rejected"]],
	},
	"a slice whose port has another protocol": {
		slices: [
			sliceOf(["10.244.1.2@node-1"], {
				ports: [{ name: "http", protocol: "UDP", port: 8080 }],
			}),
		],
		rows: [["gives nothing for this port", clusterIP, "rejected"]],
	},
	"a slice whose port has no number": {
		slices: [
			sliceOf(["10.244.1.2@node-1"], {
				ports: [{ name: "http", protocol: "TCP" }],
			}),
		],
		rows: [["gives nothing for this port", clusterIP, "rejected"]],
	},
	"a named target port that differs between pods": {
		services: [
			serviceOf({
				ports: [{ name: "http", port: 80, targetPort: "web" }],
			}),
		],
		slices: [
			sliceOf(["10.244.1.2@node-1"]),
			sliceOf(["10.244.2.2@node-2"], {
				name: "web-2",
				ports: [{ name: "http", port: 9090 }],
			}),
		],
		rows: [
			["is each pod's own", clusterIP, "to 10.244.1.2:8080, 10.244.2.2:9090"],
		],
	},
	"a port without name": {
		services: [serviceOf({ ports: [{ port: 80 }] })],
		slices: [
			sliceOf(["10.244.1.2@node-1"], { ports: [{ name: "", port: 8080 }] }),
		],
		rows: [
			["is the one without name in the slice", clusterIP, "to 10.244.1.2:8080"],
		],
	},
	"hints for zones": {
		slices: [
			sliceOf([
				"10.244.1.2@node-1 zone:zone-a",
				"10.244.2.2@node-2 zone:zone-b",
				"10.244.3.2@node-3 zone:zone-a zone:zone-b",
			]),
		],
		rows: [
			[
				"keep traffic in this node's zone",
				clusterIP,
				"to 10.244.1.2:8080, 10.244.3.2:8080",
			],
		],
	},
	"hints for other zones only": {
		slices: [sliceOf(["10.244.2.2@node-2 zone:zone-b"])],
		rows: [["are ignored", clusterIP, "to 10.244.2.2:8080"]],
	},
	"hints that one ready endpoint lacks": {
		slices: [sliceOf(["10.244.1.2@node-1 zone:zone-a", "10.244.2.2@node-2"])],
		rows: [
			[
				"are ignored: they are being written",
				clusterIP,
				"to 10.244.1.2:8080, 10.244.2.2:8080",
			],
		],
	},
	"hints that an endpoint lacks which is not ready": {
		slices: [
			sliceOf([
				"10.244.1.2@node-1 zone:zone-a",
				"10.244.2.2@node-2 zone:zone-b",
				"10.244.3.2@node-3 not-ready",
			]),
		],
		rows: [["count", clusterIP, "to 10.244.1.2:8080"]],
	},
	"hints for zones on a node without zone": {
		slices: [
			sliceOf([
				"10.244.1.2@node-1 zone:zone-a",
				"10.244.2.2@node-2 zone:zone-b",
			]),
		],
		node: {
			name: "node-1",
			nodePortAddresses: [],
			podCidrs: node1.podCidrs,
			masqueradeAll: false,
		},
		rows: [["are ignored", clusterIP, "to 10.244.1.2:8080, 10.244.2.2:8080"]],
	},
	"hints for nodes": {
		slices: [
			sliceOf([
				"10.244.1.2@node-1 node:node-1 zone:zone-a",
				"10.244.3.2@node-3 node:node-3 zone:zone-a",
			]),
		],
		rows: [["keep traffic on this node", clusterIP, "to 10.244.1.2:8080"]],
	},
	"hints for other nodes only": {
		slices: [
			sliceOf([
				"10.244.2.2@node-2 node:node-2 zone:zone-b",
				"10.244.3.2@node-3 node:node-3 zone:zone-a",
			]),
		],
		rows: [["give way to those for the zone", clusterIP, "to 10.244.3.2:8080"]],
	},
	"hints when every endpoint terminates": {
		slices: [
			sliceOf([
				"10.244.1.2@node-1 terminating zone:zone-b",
				"10.244.2.2@node-2 terminating zone:zone-a",
			]),
		],
		rows: [["are ignored", clusterIP, "to 10.244.1.2:8080, 10.244.2.2:8080"]],
	},
});

describe("flows that began earlier", () => {
	const slice = sliceOf(
		[
			"10.244.1.2@node-1",
			"10.244.1.3@node-1 terminating",
			"10.244.1.4@node-1 gone",
			"10.244.2.2@node-2",
		],
		{
			ports: [
				{ name: "udp", protocol: "UDP", port: 8080 },
				{ name: "tcp", protocol: "TCP", port: 8080 },
			],
		},
	);
	const lasting = (protocol: Protocol, policy: "Cluster" | "Local") => {
		const name = protocol.toLowerCase();
		const service = serviceOf({
			internalTrafficPolicy: policy,
			ports: [{ name, port: 80, protocol }],
		});
		const { program } = compile({
			services: [service],
			slices: [slice],
			node: node1,
		});
		return program.frontends
			.get(`10.96.0.10|${protocol}|80`)
			?.lasting?.map(({ address }) => address);
	};

	it.each([
		[
			"over UDP stay with who terminates and still serves",
			"UDP",
			"Cluster",
			["10.244.1.3"],
		],
		[
			"over UDP stay with who a policy leaves out",
			"UDP",
			"Local",
			["10.244.1.3", "10.244.2.2"],
		],
		["over TCP end by themselves", "TCP", "Cluster", undefined],
	] as const)("%s", (_what, protocol, policy, expected) => {
		expect(lasting(protocol, policy)).toEqual(expected);
	});
});
