import type {
	Endpoint,
	EndpointSlice,
	Service,
	ServiceSpec,
} from "../../operator/api/core.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { Store } from "../../operator/cluster/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { quietLog } from "./quiet-log.ts";
import {
	type DnsRecord,
	type RecordData,
	types,
} from "../../operator/dns/message.ts";
import type { DnsStores } from "../../operator/dns/service-index.ts";

export const typeNames = new Map<number, string>(
	Object.entries(types).map(([name, number]) => [number, name]),
);

/** `name ttl TYPE data`, as dig shows a record; a SOA's serial as it is. */
export function recordText({ name, ttl, data }: DnsRecord): string {
	return `${name} ${ttl} ${typeNames.get(data.type) ?? data.type} ${dataText(data)}`;
}

function dataText(data: RecordData): string {
	if ("raw" in data) return Buffer.from(data.raw).toString("hex");
	if ("address" in data) return addressText(data.address);
	if ("texts" in data)
		return data.texts.map((text) => JSON.stringify(text)).join(" ");
	if ("weight" in data)
		return `${data.priority} ${data.weight} ${data.port} ${data.name}`;
	if ("preference" in data) return `${data.preference} ${data.name}`;
	if ("name" in data) return data.name;
	return `${data.primary} ${data.mailbox} ${data.serial} ${data.refresh} ${data.retry} ${data.expire} ${data.minimum}`;
}

function addressText(bytes: Uint8Array): string {
	if (bytes.length === 4) return bytes.join(".");
	const groups = Array.from({ length: 8 }, (_, group) =>
		(((bytes[group * 2] ?? 0) << 8) | (bytes[group * 2 + 1] ?? 0)).toString(16),
	);
	return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

let version = 0;
const metadata = (name: string, namespace?: string) => ({
	name,
	...(namespace === undefined ? {} : { namespace }),
	resourceVersion: String(++version),
});

export const service = (
	key: string,
	spec: ServiceSpec,
	status?: Service["status"],
): Service => {
	const [namespace = "", name = ""] = key.split("/");
	return {
		metadata: metadata(name, namespace),
		spec,
		...(status ? { status } : {}),
	};
};

/** A slice of a Service's endpoints; an endpoint is its address, or all there is to say. */
export const slice = (
	key: string,
	endpoints: (string | Endpoint)[],
	ports: EndpointSlice["ports"] = [
		{ name: "http", protocol: "TCP", port: 8080 },
	],
	suffix = "a",
): EndpointSlice => {
	const [namespace = "", name = ""] = key.split("/");
	const all = endpoints.map((endpoint) =>
		typeof endpoint === "string"
			? { addresses: [endpoint], conditions: { ready: true } }
			: endpoint,
	);
	return {
		metadata: {
			...metadata(`${name}-${suffix}`, namespace),
			labels: { "kubernetes.io/service-name": name },
		},
		addressType: all[0]?.addresses[0]?.includes(":") ? "IPv6" : "IPv4",
		endpoints: all,
		ports,
	};
};

export const namespace = (name: string): KubeObject => ({
	metadata: metadata(name),
});

/** Stores as a Reflector would have filled them. */
export function storesOf(
	objects: {
		services?: Service[];
		slices?: EndpointSlice[];
		namespaces?: string[];
	} = {},
): DnsStores & { clock: FakeClock } {
	const clock = new FakeClock();
	const options = { clock, log: quietLog() };
	const stores = {
		clock,
		services: new Store<Service>(options),
		endpointSlices: new Store<EndpointSlice>(options),
		namespaces: new Store<KubeObject>(options),
	};
	for (const one of objects.services ?? []) stores.services.put(one);
	for (const one of objects.slices ?? []) stores.endpointSlices.put(one);
	for (const one of objects.namespaces ?? ["default", "shop"])
		stores.namespaces.put(namespace(one));
	return stores;
}
