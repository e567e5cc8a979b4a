import type { Engine } from "../engine/engine.ts";
import type {
	ActionRecord,
	BalancerRecord,
	NetworkRecord,
	PublicAddress,
	ServerRecord,
	SshKeyRecord,
	Target,
} from "../store/records.ts";
import type { Store } from "../store/store.ts";
import {
	balancerTypes,
	datacenters,
	find,
	images,
	includedTraffic,
	locations,
	named,
	serverTypes,
} from "./catalog.ts";
import { resolveTarget } from "./resolve-targets.ts";

/** Records as Hetzner writes them (docs.hetzner.cloud/reference/cloud). Fields below `fairlead` are not Hetzner's. */

/** Hetzner writes times in UTC to the second, with an offset. */
export function timestamp(ms: number): string {
	return `${new Date(ms).toISOString().slice(0, 19)}+00:00`;
}

export function progress(action: ActionRecord, now: number): number {
	if (action.status !== "running") return 100;
	if (action.finish === null) return 50;
	const share =
		(now - action.started) / Math.max(1, action.finish - action.started);
	return Math.min(99, Math.max(0, Math.floor(share * 100)));
}

export function renderAction(action: ActionRecord, now: number) {
	const { id, command, status, started, finish, resources, error } = action;
	return {
		id,
		command,
		status,
		progress: progress(action, now),
		started: timestamp(started),
		finished:
			status === "running" || finish === null ? null : timestamp(finish),
		resources,
		error,
	};
}

export function renderBalancer(
	balancer: BalancerRecord,
	store: Store,
	engine: Engine,
) {
	const report = engine.report(balancer.id);
	const health = new Map(
		report?.targets.map((target) => [target.key, target.health]),
	);
	const failed = (report?.listeners ?? [])
		.filter(({ failure }) => failure !== null)
		.map(({ port, transport, failure }) => ({
			listen_port: port,
			...(transport === "udp" && { protocol: transport }),
			reason: failure,
		}));
	return {
		id: balancer.id,
		name: balancer.name,
		created: timestamp(balancer.created),
		labels: balancer.labels,
		load_balancer_type: named(balancerTypes, balancer.type),
		location: named(locations, balancer.location),
		public_net: {
			enabled: balancer.publicInterface,
			ipv4: renderPublicAddress(balancer.ipv4),
			ipv6: renderPublicAddress(balancer.ipv6),
		},
		private_net: balancer.privateNet,
		algorithm: { type: balancer.algorithm },
		services: balancer.services,
		targets: balancer.targets.map((target) =>
			renderTarget(balancer, target, store, health),
		),
		protection: { delete: balancer.protection },
		included_traffic: includedTraffic,
		ingoing_traffic: report?.counters.bytesIn ?? 0,
		outgoing_traffic: report?.counters.bytesOut ?? 0,
		fairlead: { engine: engine.kind, failed_listeners: failed },
	};
}

type Health = ReadonlyMap<
	string,
	NonNullable<ReturnType<Engine["report"]>>["targets"][number]["health"]
>;

function renderTarget(
	balancer: BalancerRecord,
	target: Target,
	store: Store,
	health: Health,
) {
	const status = (key: string) =>
		(health.get(key) ?? []).map(
			({ port, transport, status, detail, httpStatus }) => ({
				listen_port: port,
				// Not Hetzner's, as UDP is not.
				...(transport === "udp" && { protocol: transport }),
				status,
				...(status === "unhealthy" && detail !== null && { detail }),
				...(status === "unhealthy" &&
					httpStatus !== null && { http_status_code: httpStatus }),
			}),
		);
	const places = resolveTarget(balancer, target, store);
	if (target.type !== "label_selector")
		return { ...target, health_status: status(places[0]?.key ?? "") };
	return {
		...target,
		targets: places.map(({ key, server }) => ({
			type: "server",
			server: { id: server?.id },
			use_private_ip: target.use_private_ip,
			health_status: status(key),
		})),
	};
}

function renderPublicAddress({ id, address, dnsPtr }: PublicAddress) {
	const given =
		dnsPtr ??
		`static.${address.split(".").toReversed().join(".")}.clients.your-server.de`;
	return {
		id,
		ip: address,
		blocked: false,
		dns_ptr: address.includes(":") ? dnsPtr : given,
	};
}

/** `balancers` are the ids of those that have it as a target. */
export function renderServer(
	server: ServerRecord,
	balancers: readonly number[],
	locked: boolean,
) {
	const { ipv4, ipv6 } = server;
	const type = named(serverTypes, server.type);
	return {
		id: server.id,
		name: server.name,
		status: server.status,
		created: timestamp(server.created),
		labels: server.labels,
		server_type: type,
		location: named(locations, server.location),
		datacenter: datacenters.find(
			({ location }) => location.name === server.location,
		),
		image: find(images, server.image) ?? null,
		iso: null,
		public_net: {
			ipv4: ipv4 && renderPublicAddress(ipv4),
			ipv6: ipv6 && {
				id: ipv6.id,
				ip: `${ipv6.address}/64`,
				blocked: false,
				dns_ptr: [],
			},
			floating_ips: [],
			firewalls: [],
		},
		private_net: server.privateNet.map(({ network, ip, mac }) => ({
			network,
			ip,
			alias_ips: [],
			mac_address: mac,
		})),
		protection: { delete: server.protection, rebuild: server.protection },
		rescue_enabled: false,
		locked,
		backup_window: null,
		included_traffic: includedTraffic,
		ingoing_traffic: 0,
		outgoing_traffic: 0,
		primary_disk_size: type.disk,
		placement_group: null,
		volumes: [],
		load_balancers: balancers,
	};
}

export function renderNetwork(network: NetworkRecord, store: Store) {
	const members = (kind: "server" | "load_balancer") =>
		store
			.all(kind, network.project)
			.filter(({ privateNet }) =>
				privateNet.some((net) => net.network === network.id),
			)
			.map(({ id }) => id);
	return {
		id: network.id,
		name: network.name,
		created: timestamp(network.created),
		labels: network.labels,
		ip_range: network.ipRange,
		subnets: network.subnets.map((subnet) => ({
			...subnet,
			gateway: subnet.ip_range.replace(/(\d+)\/\d+$/, (_, last: string) =>
				String(Number(last) + 1),
			),
		})),
		routes: [],
		servers: members("server"),
		load_balancers: members("load_balancer"),
		protection: { delete: network.protection },
		expose_routes_to_vswitch: false,
	};
}

export function renderSshKey(key: SshKeyRecord) {
	return {
		id: key.id,
		name: key.name,
		created: timestamp(key.created),
		labels: key.labels,
		fingerprint: key.fingerprint,
		public_key: key.publicKey,
	};
}
