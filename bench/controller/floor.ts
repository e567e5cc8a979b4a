import { request, Agent } from "node:https";
import type { Service } from "../../operator/api/core.ts";
import {
	type KubeClient,
	pathOf,
	resources,
} from "../../operator/cluster/kube.ts";
import type { Cluster } from "../../test/support/cluster.ts";
import { inParallel, namespace } from "./cluster.ts";

const connections = 32;

/**
 * What writing so many statuses costs when nothing else is done: a bare loop of merge patches over 32 connections, nothing
 * decided, nothing read back. Leaves the Services without status again. In seconds.
 */
export async function statusFloor(
	cluster: Cluster,
	client: KubeClient,
): Promise<number> {
	const { items } = await client.list<Service>(resources.services, {
		namespace,
	});
	const agent = new Agent({
		keepAlive: true,
		maxSockets: connections,
		ca: cluster.ca,
	});
	const patch = (name: string, body: string) =>
		new Promise<void>((resolve, reject) => {
			const call = request(
				new URL(
					pathOf(resources.services, {
						namespace,
						name,
						subresource: "status",
					}),
					cluster.server,
				),
				{
					method: "PATCH",
					agent,
					headers: {
						authorization: `Bearer ${cluster.adminToken}`,
						"content-type": "application/merge-patch+json",
					},
				},
				(answer) => {
					answer
						.resume()
						.on("end", () =>
							answer.statusCode === 200
								? resolve()
								: reject(new Error(`${name}: ${answer.statusCode}`)),
						);
				},
			);
			call.on("error", reject);
			call.end(body);
		});
	const all = (bodyOf: (index: number) => unknown) =>
		inParallel(connections, items.length, (index) =>
			patch(
				items[index]?.metadata.name ?? "",
				JSON.stringify({ status: { loadBalancer: bodyOf(index) } }),
			),
		);
	const began = performance.now();
	await all((index) => ({
		ingress: [{ ip: `172.31.${index >> 8}.${index & 255}` }],
	}));
	const seconds = (performance.now() - began) / 1000;
	await all(() => null);
	agent.destroy();
	return seconds;
}
