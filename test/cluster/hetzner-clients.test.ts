import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { closeClouds, testCloud } from "../support/fake-cloud.ts";
import { hetznerClients } from "../support/hetzner-clients.ts";

afterEach(closeClouds);

test.each([
	["hcloud-go", "go"],
	["hcloud-python", "python"],
] as const)(
	"%s takes a balancer through its life, and reads back what it asked for",
	async (library, prefix) => {
		const cloud = await testCloud({ actionMs: 50 });
		const [command, ...args] = hetznerClients()[library];
		const { stdout } = await promisify(execFile)(command, args, {
			env: { HCLOUD_ENDPOINT: `${cloud.url}/v1`, HCLOUD_TOKEN: "token" },
		});
		expect(JSON.parse(stdout)).toEqual({
			locations: 6,
			ipv4: "203.0.113.1",
			ipv6: "2001:db8:fa1::1",
			name: `${prefix}-renamed`,
			algorithm: "least_connections",
			type: "lb21",
			dns: "lb.example.org",
			services: ["tcp 443>30444 proxy=true"],
			targets: ["ip(0)", "label_selector(1)"],
			uniqueness: true,
			gone: true,
		});
		expect(cloud.state()).toMatchObject({ balancers: [], servers: [] });
		expect(
			cloud.state().actions.filter(({ status }) => status !== "success"),
		).toEqual([]);
	},
	60_000,
);
