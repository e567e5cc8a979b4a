import { recordAddress } from "../../operator/dns/addresses.ts";
import { answerFrom } from "../../operator/dns/answer.ts";
import { clusterZone } from "../../operator/dns/cluster-zone.ts";
import { externalZone } from "../../operator/dns/external-zone.ts";
import { rcodes } from "../../operator/dns/message.ts";
import { reverseZone } from "../../operator/dns/reverse-zone.ts";
import { ServiceIndex } from "../../operator/dns/service-index.ts";
import { recordText, service, slice, storesOf } from "./dns-world.ts";

export const http = { name: "http", port: 80 };
const services = [
	service("default/web", {
		clusterIP: "10.96.0.7",
		clusterIPs: ["10.96.0.7"],
		ports: [http, { name: "metrics", protocol: "UDP", port: 9 }, { port: 81 }],
	}),
	service("default/dual", {
		clusterIP: "10.96.0.8",
		clusterIPs: ["10.96.0.8", "fd00::8"],
		ports: [http],
	}),
	service("default/peers", { clusterIP: "None", ports: [http] }),
	service("default/empty", { clusterIP: "None", ports: [http] }),
	service("default/early", {
		clusterIP: "None",
		publishNotReadyAddresses: true,
	}),
	service("default/out", { type: "ExternalName", externalName: "A.example." }),
	service("default/in", {
		type: "ExternalName",
		externalName: "web.default.svc.cluster.local",
	}),
	service("default/lost", {
		type: "ExternalName",
		externalName: "gone.default.svc.cluster.local",
	}),
	service("default/ring", {
		type: "ExternalName",
		externalName: "back.default.svc.cluster.local",
	}),
	service("default/back", {
		type: "ExternalName",
		externalName: "ring.default.svc.cluster.local",
	}),
	service("default/number", {
		type: "ExternalName",
		externalName: "192.0.2.9",
	}),
	service(
		"shop/front",
		{ type: "LoadBalancer", clusterIP: "10.96.0.9", ports: [http] },
		{
			loadBalancer: { ingress: [{ ip: "203.0.113.5" }, { ip: "2001:db8::5" }] },
		},
	),
	service(
		"shop/named",
		{ type: "LoadBalancer", clusterIP: "10.96.0.10", ports: [http] },
		{ loadBalancer: { ingress: [{ hostname: "lb.example" }] } },
	),
	service("shop/waiting", {
		type: "LoadBalancer",
		clusterIP: "10.96.0.11",
		ports: [http],
	}),
];
const slices = [
	slice("default/web", ["10.244.1.2", "10.244.2.2"]),
	slice("default/peers", [
		"10.244.1.3",
		{ addresses: ["10.244.1.4"], hostname: "Db-0" },
		{ addresses: ["10.244.1.5"], conditions: { ready: false } },
	]),
	slice("default/peers", ["fd00:244::"], [http], "six"),
	slice("default/empty", [
		{ addresses: ["10.244.1.6"], conditions: { ready: false } },
	]),
	slice(
		"default/early",
		[{ addresses: ["10.244.1.7"], conditions: { ready: false } }],
		[],
	),
];
const objects = { services, slices };
/** The SOA record that denials of the cluster's zone carry. */
export const soa =
	"cluster.local 5 SOA ns.dns.cluster.local hostmaster.cluster.local 1767225600 7200 1800 86400 5";

/** A cluster with one of each, and its zones; shuffling leaves records as they are unless `random` says otherwise. */
export function zonesWorld(random = () => 0.999) {
	const stores = storesOf(objects);
	const index = new ServiceIndex(stores, stores.clock);
	const nameServer = [recordAddress("10.96.0.10")].filter(
		(address) => address !== undefined,
	);
	const zones = [
		clusterZone(index, {
			name: "cluster.local",
			ttl: 5,
			pods: "insecure",
			nameServer,
		}),
		externalZone(index, { name: "lb.test", ttl: 5, nameServer }),
		...(["IPv4", "IPv6"] as const).map((family) =>
			reverseZone(index, {
				family,
				ttl: 5,
				clusterZone: "cluster.local",
				externalZone: "lb.test",
			}),
		),
	];
	const ask = (name: string, type: number, hasUpstream = false) =>
		answerFrom(zones, { name, type, class: 1 }, random, hasUpstream);
	return { stores, index, ask };
}

/** Rcode, then the records of all sections, each as text. */
export function told(
	answer: ReturnType<ReturnType<typeof zonesWorld>["ask"]>,
): (string | undefined)[] | "not ours" {
	if (!answer) return "not ours";
	const rcode = Object.entries(rcodes).find(([, n]) => n === answer.rcode)?.[0];
	const parts = [answer.answers, answer.authorities, answer.additionals];
	const more = answer.outside === undefined ? [] : [`then ${answer.outside}`];
	return [rcode, ...parts.flat().map(recordText), ...more];
}

export const zone = "cluster.local";
export const svc = `default.svc.${zone}`;
