import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { jest } from "@jest/globals";
import { binariesFolder } from "../support/cluster-binaries.ts";
import { eventually } from "../support/eventually.ts";
import { commandsOf, normalised, runShown } from "../support/guide.ts";
import { type CloudBalancer, World } from "../support/world.ts";

jest.setTimeout(120_000);

const root = fileURLToPath(new URL("../..", import.meta.url));

let world: World;
beforeAll(async () => {
	world = await World.start();
	await world.furnish();
	await world.kubectl(
		...["patch", "balancerclass", "cloud", "--type=merge"],
		...["-p", '{"spec":{"default":false}}'],
	);
});
afterAll(async () => {
	await world?.stop();
});

/** A Service as hcloud-ccm leaves it, with the balancer it made: name, label, finalizer, status. */
async function servedByHcloudCcm(name: string): Promise<CloudBalancer> {
	const { metadata, spec } = await world.service(name);
	const uid = metadata.uid ?? "";
	const nodePort = spec.ports?.[0]?.nodePort ?? 0;
	const { load_balancer: made } = await world.cloudSend<{
		load_balancer: CloudBalancer;
	}>("POST", "/v1/load_balancers", {
		name: `a${uid.replaceAll("-", "")}`.slice(0, 32),
		// Larger than what the class makes: it stays so.
		load_balancer_type: "lb21",
		location: "fsn1",
		algorithm: { type: "least_connections" },
		labels: { "hcloud-ccm/service-uid": uid, team: "blue" },
		services: [
			listener(80, nodePort),
			// From a port the Service once had.
			listener(8080, 31_000),
		],
		targets: [
			{ type: "ip", ip: { ip: world.nodes[0]?.address } },
			// A node that has left.
			{ type: "ip", ip: { ip: "127.0.0.99" } },
		],
	});
	const { ip } = made.public_net.ipv4;
	await world.kubectl(
		...["patch", "svc", name, "--type=merge", "-p"],
		'{"metadata":{"finalizers":["service.kubernetes.io/load-balancer-cleanup"]}}',
	);
	await world.kubectl(
		...["patch", "svc", name, "--subresource=status", "--type=merge", "-p"],
		JSON.stringify({ status: { loadBalancer: { ingress: [{ ip }] } } }),
	);
	return made;
}

function listener(port: number, nodePort: number) {
	return {
		protocol: "tcp",
		listen_port: port,
		destination_port: nodePort,
		proxyprotocol: false,
		health_check: {
			protocol: "tcp",
			port: nodePort,
			interval: 15,
			timeout: 10,
			retries: 3,
		},
	};
}

describe("docs/guides/migrate-from-hcloud-ccm.md", () => {
	it("says what its commands print, and every balancer keeps its id and address", async () => {
		const before = [
			await servedByHcloudCcm("web"),
			await servedByHcloudCcm("api"),
		];
		await world.apply("-", {
			apiVersion: "apps/v1",
			kind: "Deployment",
			metadata: {
				namespace: "kube-system",
				name: "hcloud-cloud-controller-manager",
			},
			spec: {
				selector: { matchLabels: { app: "ccm" } },
				template: {
					metadata: { labels: { app: "ccm" } },
					spec: { containers: [{ name: "ccm", image: "ccm" }] },
				},
			},
		});
		const controller = world.controller();
		await controller.logged(({ msg }) => msg.startsWith("leads"));
		const shown = commandsOf(
			readFileSync(`${root}docs/guides/migrate-from-hcloud-ccm.md`, "utf8"),
		);
		for (const { command, output, line } of shown) {
			const printed = await runShown(command, {
				cwd: root,
				env: {
					...process.env,
					KUBECONFIG: world.cluster.kubeconfigPath,
					PATH: `${binariesFolder(["kubectl"])}:${process.env["PATH"]}`,
				},
				timeoutMs: 40_000,
			});
			expect({ line, command, output: normalised(printed) }).toEqual({
				line,
				command,
				output: normalised(output),
			});
		}
		for (const [at, name] of ["web", "api"].entries()) {
			const { metadata, spec } = await world.get(name);
			const nodePort = spec.ports?.[0]?.nodePort;
			const uid = metadata.uid ?? "";
			const found = await eventually(
				() => world.balancers(),
				(list) => {
					const own = list.find(({ id }) => id === before[at]?.id);
					expect(own?.services).toMatchObject([
						{ listen_port: 80, destination_port: nodePort },
					]);
					expect(
						own?.targets.map(({ ip, server }) => ip?.ip ?? server?.id).sort(),
					).toEqual(world.nodes.map(({ address }) => address).sort());
				},
			);
			const own = found.find(({ id }) => id === before[at]?.id);
			expect(found).toHaveLength(2);
			expect(own?.public_net).toEqual(before[at]?.public_net);
			expect(own?.name).toMatch(/^fairlead-/);
			expect(own?.load_balancer_type.name).toBe("lb21");
			expect(own?.labels).toMatchObject({
				"fairlead.dev/service-uid": uid,
				"hcloud-ccm/service-uid": uid,
				team: "blue",
			});
		}
	});

	it("leaves nothing behind when a Service that was taken over is deleted", async () => {
		await world.kubectl("delete", "svc", "web", "api", "--timeout=30s");
		expect(await world.balancers()).toEqual([]);
	});
});
