import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Pod } from "../../operator/api/core.ts";
import type { NetworkNamespace } from "../../operator/kernel/namespaces.ts";
import { containerEnv } from "../../sandbox/kubelet/container-env.ts";
import { expand } from "../../sandbox/kubelet/expand.ts";
import type { Cluster, KubectlResult } from "./cluster.ts";
import { binariesFolder } from "./cluster-binaries.ts";
import { Fairlead } from "./fairlead.ts";

export const chart = fileURLToPath(
	new URL("../../helm/fairlead", import.meta.url),
);

/** Runs the pinned helm as the cluster's admin; a code other than 0 is for the caller to judge. */
export function helm(
	cluster: Cluster,
	args: readonly string[],
	stdin = "",
): Promise<KubectlResult> {
	return new Promise((resolve, reject) => {
		const child = execFile(
			join(binariesFolder(["helm"]), "helm"),
			args,
			{
				env: {
					PATH: process.env["PATH"],
					HOME: cluster.folder,
					KUBECONFIG: cluster.kubeconfigPath,
				},
				maxBuffer: 2 ** 26,
			},
			(error, stdout, stderr) =>
				error && typeof error.code !== "number"
					? reject(error)
					: resolve({ stdout, stderr, code: Number(error?.code ?? 0) }),
		);
		// helm may end without reading all it is given: its exit code tells.
		child.stdin?.on("error", () => {});
		child.stdin?.end(stdin);
	});
}

interface Where {
	/** The pods of a DaemonSet instead of a Deployment's: this node's. */
	node: string;
	/** The node's; reaches the API server at the address it has outside. */
	network: NetworkNamespace;
}

/**
 * What the pods of a Deployment or DaemonSet would run, as processes of this machine: its own args and env by the kubelet's rules, and its
 * ServiceAccount's token where a pod finds it, in a mount namespace of the process. No kubeconfig is near.
 */
export class ChartPods {
	readonly #cluster: Cluster;
	readonly #running: Fairlead[] = [];
	readonly #folders: string[] = [];

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
	}

	/** One more pod, with `podIP` for its own. */
	async start(
		namespace: string,
		name: string,
		podIP: string,
		where?: Where,
	): Promise<Fairlead> {
		const { server, ca } = this.#cluster;
		const kind = where ? "daemonset" : "deployment";
		const workload = JSON.parse(
			await this.#kubectl("-n", namespace, "get", kind, name, "-o", "json"),
		) as { spec: { template: { spec: Pod["spec"] } } };
		const { template } = workload.spec;
		const account = template.spec.serviceAccountName ?? "default";
		const token = await this.#kubectl(
			"-n",
			namespace,
			"create",
			"token",
			account,
		);
		const folder = await mkdtemp(join(tmpdir(), "fairlead-pod-"));
		this.#folders.push(folder);
		const mounted = join(folder, "secrets/kubernetes.io/serviceaccount");
		await mkdir(mounted, { recursive: true });
		await writeFile(join(mounted, "token"), token.trim());
		await writeFile(join(mounted, "ca.crt"), ca);
		await writeFile(join(mounted, "namespace"), namespace);

		const [container] = template.spec.containers;
		if (!container) throw new Error(`${kind} ${name} has no container`);
		const { hostname, port } = new URL(server);
		const env = containerEnv(container, {
			pod: {
				metadata: { namespace, name: `${name}-0` },
				spec: { ...template.spec, ...(where ? { nodeName: where.node } : {}) },
			} as Pod,
			podIP,
			hostIP: podIP,
			hostname: `${name}-0`,
			path: process.env["PATH"] ?? "",
			// A user without a line in passwd is at home at /.
			image: { HOME: "/" },
			services: [],
			configMap: () => undefined,
			secret: () => undefined,
		});
		const args = (container.args ?? []).map((arg) =>
			expand(arg, (variable) => env[variable]),
		);
		const begin = () =>
			new Fairlead(
				args,
				{
					KUBERNETES_SERVICE_HOST: hostname,
					KUBERNETES_SERVICE_PORT: port,
					...env,
				},
				[
					"unshare",
					...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]),
					"--mount",
					"sh",
					"-c",
					// /var/run is a link to it.
					'mount --bind "$0" /run && exec "$@"',
					folder,
					...(where ? withCapabilities(container) : []),
				],
			);
		const pod = where ? where.network.run(begin) : begin();
		this.#running.push(pod);
		return pod;
	}

	/** Ends those that still run. */
	async stop(): Promise<void> {
		for (const pod of this.#running)
			if (pod.child.exitCode === null) pod.child.kill("SIGKILL");
		await Promise.all(this.#running.map((pod) => pod.ended));
		for (const folder of this.#folders)
			await rm(folder, { recursive: true, force: true });
	}

	async #kubectl(...args: string[]): Promise<string> {
		const { stdout, stderr, code } = await this.#cluster.kubectl(args);
		if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
		return stdout;
	}
}

/** A command that runs the command it is given with the capabilities of a container that root runs in, and no others. */
function withCapabilities(container: object): string[] {
	const { securityContext: { capabilities: { add = [] } = {} } = {} } =
		container as {
			securityContext?: { capabilities?: { add?: string[] } };
		};
	const kept = add.map((name) => `+${name.toLowerCase()}`);
	return [
		"setpriv",
		"--no-new-privs",
		...["--bounding-set", ["-all", ...kept].join(",")],
		...["--inh-caps", "-all"],
	];
}
