import type { TestCloud } from "./fake-cloud.ts";
import { testCloud } from "./fake-cloud.ts";

/** Bodies that the fake cloud's tests send, and what they start from. */

export const minimal = {
	name: "lb",
	load_balancer_type: "lb11",
	location: "fsn1",
};
export const tcp = { protocol: "tcp", listen_port: 80, destination_port: 8080 };
export const ip = (address: string) => ({ type: "ip", ip: { ip: address } });

/** A cloud with one balancer, whose create has ended. */
export async function withBalancer(
	more: object = {},
	options: Parameters<typeof testCloud>[0] = {},
) {
	const cloud = await testCloud(options);
	const { body } = await cloud.ask("POST", "/load_balancers", {
		...minimal,
		...more,
	});
	await cloud.until(
		body.load_balancer.id,
		(balancer) => balancer?.lockedBy === null,
	);
	return {
		cloud,
		id: body.load_balancer.id as number,
		path: `/load_balancers/${body.load_balancer.id}`,
	};
}

/** A server whose create has ended, as the API gives it. */
export async function withServer(cloud: TestCloud, more: object = {}) {
	const { body } = await cloud.ask("POST", "/servers", {
		name: `node-${Math.random().toString(36).slice(2)}`,
		server_type: "cx22",
		image: "ubuntu-24.04",
		location: "fsn1",
		...more,
	});
	await cloud.untilServer(
		body.server.id,
		(server) => server?.lockedBy === null,
	);
	return (await cloud.ask("GET", `/servers/${body.server.id}`)).body.server;
}
