import type { IPFamily } from "../../../api/core.ts";
import {
	node1,
	serviceOf,
	sliceOf,
} from "../../../../test/support/rules-world.ts";
import { wantedFrontends } from "./wanted-frontends.ts";

const dual = serviceOf({
	type: "NodePort",
	clusterIPs: ["10.96.0.10", "fd00:10:96::10"],
	externalIPs: ["198.051.100.007"],
	ports: [{ name: "http", port: 80, nodePort: 30080 }],
});

const keys = (nodePortAddresses: string[], families: IPFamily[]) => [
	...wantedFrontends({
		services: [dual],
		slices: [sliceOf(["10.244.1.2@node-1"])],
		node: { ...node1, nodePortAddresses },
		families: new Set(families),
	}).keys(),
];
const ipv4 = [
	"10.96.0.10|TCP|80",
	"IPv4|NodePort|TCP|30080",
	"198.51.100.7|TCP|80",
];
const ipv6 = ["fd00:10:96::10|TCP|80", "IPv6|NodePort|TCP|30080"];

it("asks for NodePorts of a family the Node has no address of where kube-proxy writes that family", () => {
	expect(keys(["172.30.1.1"], ["IPv4", "IPv6"])).toEqual([...ipv4, ...ipv6]);
});

it("asks for nothing of a family that neither kube-proxy nor the Node has", () => {
	expect(keys(["172.30.1.1"], ["IPv4"])).toEqual(ipv4);
});

it("asks for a family the Node has, though kube-proxy has no rules of it", () => {
	expect(keys(["172.30.1.1", "fd00:172:30::1:1"], [])).toEqual([
		...ipv4,
		...ipv6,
	]);
});
