import type { Service } from "../operator/api/core.ts";
import { resources } from "../operator/cluster/kube.ts";
import { quietLog } from "../test/support/quiet-log.ts";
import { once, startTestCluster } from "./test-cluster.ts";

test("the caches follow the API server and leave out what only tools read", async () => {
	const cluster = await startTestCluster(quietLog());
	try {
		const { client, stores } = cluster;
		expect(stores.services.has("default/kubernetes")).toBe(true);
		expect(stores.problems()).toEqual([]);
		// Agents that share the caches check external IPs, here where the kind of their policy is not installed.
		const { read, namespaces } = stores.externalIPs;
		await Promise.all([read.policies, read.namespaces]);
		expect(namespaces.has("default")).toBe(true);
		const service: Service = {
			metadata: {
				name: "web",
				namespace: "default",
				annotations: {
					"kubectl.kubernetes.io/last-applied-configuration": "{}",
					note: "kept",
				},
			},
			spec: { ports: [{ port: 80 }] },
		};
		await client.create(resources.services, service);
		const { metadata } = await once(
			stores.services,
			(each) => each.metadata.name === "web",
		);
		expect(metadata.annotations).toEqual({ note: "kept" });
		expect(metadata).not.toHaveProperty("managedFields");
	} finally {
		await cluster.close();
	}
}, 30_000);
