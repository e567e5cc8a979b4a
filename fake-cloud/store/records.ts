/** What the store keeps. Services and targets have Hetzner's own wire shape, so that nothing is translated twice. */

export type ResourceKind = "load_balancer" | "server" | "network" | "ssh_key";

interface Base {
	id: number;
	project: string;
	name: string;
	labels: Record<string, string>;
	/** Milliseconds since the epoch. */
	created: number;
}

export interface PublicAddress {
	/** Of the address's allocation, as Hetzner's primary IPs have one; never used again. */
	id: number;
	address: string;
	dnsPtr: string | null;
}

export interface BalancerRecord extends Base {
	kind: "load_balancer";
	/** Name of a load balancer type. */
	type: string;
	/** Name of a location. */
	location: string;
	algorithm: "round_robin" | "least_connections";
	publicInterface: boolean;
	ipv4: PublicAddress;
	ipv6: PublicAddress;
	privateNet: { network: number; ip: string }[];
	services: Service[];
	targets: Target[];
	protection: boolean;
}

export interface Service {
	/** udp is not Hetzner's. */
	protocol: "tcp" | "udp" | "http" | "https";
	listen_port: number;
	destination_port: number;
	proxyprotocol: boolean;
	/** For http and https. */
	http?: ServiceHttp;
	health_check: HealthCheck;
	/** Not Hetzner's: canonical CIDRs that may connect; absent: everybody. */
	source_ranges?: string[];
	/** Not Hetzner's: how long a client keeps its target; absent: no affinity. */
	affinity_seconds?: number;
}

export interface ServiceHttp {
	cookie_name: string;
	/** Seconds. */
	cookie_lifetime: number;
	certificates: number[];
	redirect_http: boolean;
	sticky_sessions: boolean;
	/** Seconds. */
	timeout_idle: number;
}

export interface HealthCheck {
	protocol: "tcp" | "http";
	port: number;
	/** Seconds. */
	interval: number;
	/** Seconds. */
	timeout: number;
	retries: number;
	http?: HealthCheckHttp;
}

export interface HealthCheckHttp {
	domain: string;
	path: string;
	response: string;
	/** Patterns such as `2??`. */
	status_codes: string[];
	tls: boolean;
}

export type Target =
	| { type: "server"; server: { id: number }; use_private_ip: boolean }
	| {
			type: "label_selector";
			label_selector: { selector: string };
			use_private_ip: boolean;
	  }
	| { type: "ip"; ip: { ip: string } };

export interface ServerRecord extends Base {
	kind: "server";
	type: string;
	location: string;
	image: number;
	status: ServerStatus;
	ipv4: PublicAddress | null;
	/** Its address is the first of a /64. */
	ipv6: PublicAddress | null;
	privateNet: { network: number; ip: string; mac: string }[];
	protection: boolean;
}

export type ServerStatus =
	| "initializing"
	| "starting"
	| "running"
	| "stopping"
	| "off"
	| "deleting";

export interface NetworkRecord extends Base {
	kind: "network";
	ipRange: string;
	subnets: { type: string; ip_range: string; network_zone: string }[];
	protection: boolean;
}

export interface SshKeyRecord extends Base {
	kind: "ssh_key";
	publicKey: string;
	fingerprint: string;
}

export type Resource =
	| BalancerRecord
	| ServerRecord
	| NetworkRecord
	| SshKeyRecord;

export type ResourceOf<K extends ResourceKind> = Extract<Resource, { kind: K }>;

export interface ActionRecord {
	id: number;
	project: string;
	command: string;
	status: "running" | "success" | "error";
	/** Milliseconds since the epoch. */
	started: number;
	/** When it ends, or ended; null while a fault keeps it from ending. */
	finish: number | null;
	/** Id of that fault; absent where it was not recorded. */
	heldBy?: string | null;
	error: { code: string; message: string } | null;
	/** The first is locked while the action runs. */
	resources: { id: number; type: "load_balancer" | "server" | "network" }[];
	/** What becomes true when it ends well. */
	effect: Effect;
	/** How it ends instead, because a fault said so. */
	doomed: { code: string; message: string } | null;
}

/** Everything an action may do when it ends; plain data, so that it survives a restart. */
export type Effect =
	| { do: "nothing" }
	| { do: "add_service"; service: Service }
	| { do: "update_service"; service: Service }
	/** Without a transport, of TCP. */
	| { do: "delete_service"; port: number; transport?: "tcp" | "udp" }
	| { do: "add_target"; target: Target }
	| { do: "remove_target"; target: Target }
	| { do: "add_targets"; targets: Target[] }
	| { do: "remove_targets"; targets: Target[] }
	| { do: "change_algorithm"; algorithm: BalancerRecord["algorithm"] }
	| { do: "change_type"; type: string }
	| { do: "change_protection"; on: boolean }
	| { do: "set_public_interface"; on: boolean }
	| { do: "attach_to_network"; network: number; ip: string | null }
	| { do: "detach_from_network"; network: number }
	| { do: "change_dns_ptr"; ip: string; dnsPtr: string | null }
	| { do: "update"; name?: string; labels?: Record<string, string> }
	| { do: "create"; status?: ServerStatus }
	| { do: "delete" }
	| { do: "set_status"; status: ServerStatus };
