import nock from "nock";
import {
	type ClassOptions,
	createHetznerCloud,
} from "../../operator/providers/hetzner-cloud/provider.ts";
import type { Provider } from "../../operator/providers/provider.ts";
import type { DesiredBalancer } from "../../operator/model/balancer/balancer.ts";
import { balancerIdentity } from "../../operator/model/balancer/identity.ts";
import { FakeClock } from "./fake-clock.ts";
import { quietLog } from "./quiet-log.ts";

export const origin = "http://cloud.test";
export const token = "secret-token";
export const identity = balancerIdentity("c1", "uid-1");
export const signal = new AbortController().signal;

export const labels = {
	"fairlead.dev/cluster": "c1",
	"fairlead.dev/service-uid": "uid-1",
	"fairlead.dev/service-namespace": "shop",
	"fairlead.dev/service-name": "web",
};
export const desired: DesiredBalancer = {
	identity,
	service: { namespace: "shop", name: "web" },
	families: ["IPv4"],
	addresses: [],
	listeners: [listener(80, 30080)],
	targets: [node("n1", 41), node("n2", 42)],
	sourceRanges: [],
};

export function listener(port: number, nodePort: number) {
	return {
		protocol: "TCP" as const,
		port,
		nodePort,
		healthCheck: {
			protocol: "TCP" as const,
			port: nodePort,
			intervalSeconds: 3,
			timeoutSeconds: 2,
			retries: 2,
		},
	};
}

export function node(name: string, id?: number) {
	return {
		node: name,
		addresses: [`10.0.0.${name.slice(1)}`],
		...(id === undefined ? {} : { providerId: `hcloud://${id}` }),
	};
}

export function service(port: number, destination: number) {
	return {
		protocol: "tcp",
		listen_port: port,
		destination_port: destination,
		proxyprotocol: false,
		health_check: {
			protocol: "tcp",
			port: destination,
			interval: 3,
			timeout: 2,
			retries: 2,
		},
	};
}

export function server(id: number) {
	return { type: "server", server: { id }, use_private_ip: false };
}

export const parts = { "fairlead.dev/owns-0": "p80_s41_s42" };

/** The balancer as the cloud shows it once `desired` is done. */
export const balancer = {
	id: 7,
	name: identity.name,
	labels: { ...labels, ...parts },
	created: "2026-01-01T00:00:00+00:00",
	protection: { delete: false },
	public_net: {
		enabled: true,
		ipv4: { ip: "203.0.113.7", dns_ptr: null },
		ipv6: { ip: "2001:db8::7", dns_ptr: null },
	},
	algorithm: { type: "round_robin" },
	services: [service(80, 30080)],
	targets: [
		{ ...server(41), health_status: [{ listen_port: 80, status: "healthy" }] },
		{ ...server(42), health_status: [] },
	],
};

export function action(id: number, command: string, status = "running") {
	return {
		id,
		command,
		status,
		progress: 0,
		error: null,
		resources: [{ id: 7, type: "load_balancer" }],
	};
}

export const paging = "page=1&per_page=50";
export const listPath = `/v1/load_balancers?label_selector=fairlead.dev%2Fcluster%3Dc1&${paging}`;
export const findPath = `/v1/load_balancers?label_selector=fairlead.dev%2Fservice-uid%3Duid-1&${paging}`;
export const runningPath = `/v1/load_balancers/actions?status=running&${paging}`;
export const namePath = `/v1/load_balancers?name=${identity.name}`;
export const balancers = (...list: unknown[]) => ({
	load_balancers: list,
	meta: { pagination: { page: 1, next_page: null } },
});
export const creation = {
	name: identity.name,
	load_balancer_type: "lb11",
	location: "fsn1",
	algorithm: { type: "round_robin" },
	labels: { ...labels, ...parts },
	services: [service(80, 30080)],
	targets: [server(41), server(42)],
};
export const notFound = { error: { code: "not_found", message: "not found" } };

/** A Hetzner Cloud of one balancer at most, call by call; every call that was foretold must be made, and no other. */
export class HetznerNock {
	readonly clock = new FakeClock();
	readonly provider: Provider;
	/** `METHOD path`, in the order in which they were made. */
	calls: string[] = [];
	readonly #scope = nock(origin, {
		reqheaders: { authorization: `Bearer ${token}` },
	});

	constructor(options: Partial<ClassOptions> = {}) {
		this.#scope.on("request", ({ method, url }: Request) => {
			const { pathname, search } = new URL(url);
			this.calls.push(`${method} ${pathname}${search}`);
		});
		this.provider = createHetznerCloud({
			endpoint: `${origin}/v1`,
			token: async () => token,
			location: "fsn1",
			clusterId: "c1",
			clock: this.clock,
			random: () => 0,
			log: quietLog(),
			...options,
		});
	}

	/** The one answer to the next call of this kind; its body, if one is given, must be exactly this. */
	on(method: string, path: string, body?: unknown): nock.Interceptor {
		return this.#scope.intercept(path, method, body as nock.RequestBodyMatcher);
	}

	/** What a process reads at its first pass, over a cloud that holds `held`. */
	start(...held: unknown[]): void {
		this.on("GET", "/v1/fairlead/capabilities").reply(404, notFound);
		this.on("GET", runningPath).reply(200, { actions: [] });
		this.on("GET", listPath).reply(200, balancers(...held));
	}

	async end(): Promise<void> {
		await this.provider.close();
		const left = nock.pendingMocks();
		nock.cleanAll();
		expect(left).toEqual([]);
	}
}
