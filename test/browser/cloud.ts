import type { Explain } from "../../fake-cloud/dashboard/pending.ts";
import type { ServiceFeed } from "../../fake-cloud/dashboard/services/service-feed.ts";
import { type FakeCloud, startFakeCloud } from "../../fake-cloud/server.ts";
import { systemClock } from "../../operator/clock.ts";
import { quietLog } from "../support/quiet-log.ts";

const token = "browser";

/** The real fake cloud with its dashboard; health checks come round in a twentieth of their time. */
export const startCloud = (
	options: {
		dataDir?: string;
		port?: number;
		explain?: Explain;
		services?: ServiceFeed;
	} = {},
): Promise<FakeCloud> =>
	startFakeCloud({
		dataDir: options.dataDir ?? ":memory:",
		port: options.port ?? 0,
		tokens: [{ token }],
		actionMs: 20,
		healthCheckSpeed: 20,
		...(options.explain && { explain: options.explain }),
		...(options.services && { services: options.services }),
		clock: systemClock,
		random: Math.random,
		log: quietLog(),
	});

/** A call to the cloud's API. */
export async function call(
	cloud: FakeCloud,
	method: string,
	path: string,
	body?: unknown,
): Promise<{ status: number; json: Record<string, unknown> }> {
	const answer = await fetch(`${cloud.url}/v1${path}`, {
		method,
		headers: {
			authorization: `Bearer ${token}`,
			"content-type": "application/json",
		},
		...(body !== undefined && { body: JSON.stringify(body) }),
	});
	return {
		status: answer.status,
		json: (await answer.json()) as Record<string, unknown>,
	};
}

const done = ({ status, json }: Awaited<ReturnType<typeof call>>) => {
	if (status >= 300) throw new Error(`${status}: ${JSON.stringify(json)}`);
	return json;
};

/** A balancer as Fairlead makes one for Service shop/NAME, with a TCP listener per port; gives its id. */
export async function makeBalancer(
	cloud: FakeCloud,
	name: string,
	options: {
		/** Listener's port → node's port. */
		ports?: [number, number][];
		servers?: number[];
	} = {},
): Promise<number> {
	const made = done(
		await call(cloud, "POST", "/load_balancers", {
			name: `lb-${name}`,
			load_balancer_type: "lb11",
			location: "fsn1",
			labels: {
				"fairlead.dev/service-namespace": "shop",
				"fairlead.dev/service-name": name,
			},
			services: (options.ports ?? []).map(([port, nodePort]) => ({
				protocol: "tcp",
				listen_port: port,
				destination_port: nodePort,
				proxyprotocol: false,
				health_check: {
					protocol: "tcp",
					port: nodePort,
					interval: 3,
					timeout: 2,
					retries: 1,
				},
			})),
			targets: (options.servers ?? []).map((id) => ({
				type: "server",
				server: { id },
			})),
		}),
	);
	return (made["load_balancer"] as { id: number }).id;
}

/** A server that an address of this machine stands for; gives its id. */
export async function makeServer(
	cloud: FakeCloud,
	name: string,
	address: string,
): Promise<number> {
	const made = done(
		await call(cloud, "POST", "/servers", {
			name,
			server_type: "cx22",
			image: "ubuntu-24.04",
			location: "fsn1",
			fairlead: { address },
		}),
	);
	return (made["server"] as { id: number }).id;
}
