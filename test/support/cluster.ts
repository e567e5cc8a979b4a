import { spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { request as requestPlain } from "node:http";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { binariesFolder, type Component } from "./cluster-binaries.ts";
import { ClusterProcesses } from "./cluster-processes.ts";

export type ClusterOptions = {
	/** Also run kube-controller-manager: namespaces are then really deleted, owners collected, service accounts made. */
	controllerManager?: boolean;
	/** Further flags; a flag given here wins over the same flag given by startCluster. */
	controllerManagerArgs?: readonly string[];
	/** Further flags, as `--feature-gates=X=true`; a flag given here wins over the same flag given by startCluster. */
	apiServerArgs?: readonly string[];
	/** Service addresses of both families (IPv4 first) instead of IPv4 alone. */
	dualStack?: boolean;
	/** Where the API server listens, as clients write it; default 127.0.0.1. Another one must belong to this machine. */
	address?: string;
	/** Users beside the admin, each with a token of its own; what they may do is for RBAC objects to say. */
	users?: readonly { name: string; groups?: readonly string[] }[];
};

export type KubectlResult = { stdout: string; stderr: string; code: number };

/**
 * Starts a real etcd and kube-apiserver, RBAC on, admission as shipped, in a few seconds. Everything it starts and writes
 * is gone after `stop()`, and also when this process dies in any way. Without `controllerManager` nobody makes service
 * accounts, so the API server refuses Pods; pass `--disable-admission-plugins=ServiceAccount` where they are wanted.
 *
 * @example
 * const cluster = await startCluster();
 * await cluster.kubectl(["apply", "-f", "-"], { stdin: manifest });
 * await cluster.stop();
 */
export async function startCluster(
	options: ClusterOptions = {},
): Promise<Cluster> {
	const components: Component[] = ["kube-apiserver", "etcd", "kubectl"];
	if (options.controllerManager) components.push("kube-controller-manager");
	const binaries = binariesFolder(components);
	const address = options.address ?? "127.0.0.1";
	const processes = await ClusterProcesses.start(address);
	try {
		const cluster = new Cluster(processes, binaries, address, options);
		await cluster.start();
		return cluster;
	} catch (error) {
		const logs = await processes.end(true);
		throw new Error(
			`the cluster did not start: ${(error as Error).message}\nlogs: ${logs}`,
			{ cause: error },
		);
	}
}

/** A running control plane; made by `startCluster`. */
export class Cluster {
	/** Holds everything the cluster writes; removed by `stop()`. */
	readonly folder: string;
	/** URL of the API server; stays the same over restarts. */
	readonly server: string;
	/** PEM file with the authority of the server's certificate. */
	readonly caFile: string;
	/** Bearer token of the user `admin` in group `system:masters`. */
	readonly adminToken: string;
	/** The admin's kubeconfig. */
	readonly kubeconfigPath: string;
	readonly #processes: ClusterProcesses;
	readonly #binaries: string;
	readonly #address: string;
	readonly #options: ClusterOptions;
	readonly #tokens = new Map<string, string>();
	#ca = "";
	#stopped: Promise<void> | undefined;

	constructor(
		processes: ClusterProcesses,
		binaries: string,
		address: string,
		options: ClusterOptions,
	) {
		this.folder = processes.folder;
		const host = isIPv6(address) ? `[${address}]` : address;
		this.server = `https://${host}:${processes.port}`;
		// Written by the API server itself: a self-signed certificate followed by the authority that signed it.
		this.caFile = join(this.folder, "apiserver.crt");
		this.adminToken = newToken();
		this.kubeconfigPath = join(this.folder, "kubeconfig");
		this.#processes = processes;
		this.#binaries = binaries;
		this.#address = address;
		this.#options = options;
	}

	/** PEM text of `caFile`. */
	get ca(): string {
		return this.#ca;
	}

	/** Called by `startCluster`, once. */
	async start(): Promise<void> {
		this.#writeKeys();
		this.#writeTokens();
		await this.#startEtcd();
		await this.startApiServer();
		this.#ca = readFileSync(this.caFile, "utf8");
		this.#writeKubeconfig(this.kubeconfigPath, "admin", this.adminToken);
		if (this.#options.controllerManager) await this.#startControllerManager();
	}

	/** Starts the API server again, on the same port with the same data, and resolves when it is ready. */
	async startApiServer(): Promise<void> {
		const { dualStack, apiServerArgs = [] } = this.#options;
		const advertised =
			this.#address === "127.0.0.1" ? "192.0.2.1" : this.#address;
		await this.#run(
			"kube-apiserver",
			[
				`--bind-address=${this.#address}`,
				`--secure-port=${this.#processes.port}`,
				// The endpoint of the Service `kubernetes`, which must not be a loopback address.
				`--advertise-address=${advertised}`,
				`--cert-dir=${this.folder}`,
				`--etcd-servers=unix://${this.folder}/etcd.sock`,
				`--service-cluster-ip-range=10.96.0.0/16${dualStack ? ",fd00:10:96::/112" : ""}`,
				`--token-auth-file=${join(this.folder, "tokens.csv")}`,
				"--authorization-mode=RBAC",
				// Without it, SIGTERM waits a minute for clients to give up their watches.
				"--shutdown-watch-termination-grace-period=1s",
				"--service-account-issuer=https://kubernetes.default.svc",
				`--service-account-signing-key-file=${join(this.folder, "sa.key")}`,
				`--service-account-key-file=${join(this.folder, "sa.pub")}`,
				...apiServerArgs,
			],
			// Ready alone does not mean that the namespaces every cluster has are there.
			async () =>
				(await this.#missing("/readyz")) ??
				(await this.#missing("/api/v1/namespaces/default")) ??
				(await this.#missing("/api/v1/namespaces/kube-system")),
		);
	}

	/** Ends the API server and resolves when it is gone: `SIGTERM` lets it finish requests, `SIGKILL` cuts them off. */
	async stopApiServer(
		signal: "SIGTERM" | "SIGKILL" = "SIGTERM",
	): Promise<void> {
		await this.#processes.stop("kube-apiserver", signal);
	}

	/** `stopApiServer`, then `startApiServer`. */
	async restartApiServer(
		signal: "SIGTERM" | "SIGKILL" = "SIGTERM",
	): Promise<void> {
		await this.stopApiServer(signal);
		await this.startApiServer();
	}

	/** Writes a kubeconfig for one of `options.users`, or for whoever a token belongs to; resolves with its path. */
	kubeconfigFor(identity: { user: string } | { token: string }): string {
		const name = "user" in identity ? identity.user : "token";
		const token =
			"token" in identity ? identity.token : this.#tokens.get(identity.user);
		if (token === undefined)
			throw new Error(
				`no user ${name} in this cluster; startCluster({ users }) made: ${[...this.#tokens.keys()].join(", ")}`,
			);
		const path = `${this.kubeconfigPath}-${randomBytes(4).toString("hex")}`;
		this.#writeKubeconfig(path, name, token);
		return path;
	}

	/** Runs kubectl as the admin, or with another kubeconfig; a code other than 0 is for the caller to judge. */
	async kubectl(
		args: readonly string[],
		{
			stdin = "",
			kubeconfig = this.kubeconfigPath,
		}: { stdin?: string; kubeconfig?: string } = {},
	): Promise<KubectlResult> {
		const child = spawn(join(this.#binaries, "kubectl"), args, {
			env: {
				PATH: process.env["PATH"],
				HOME: this.folder,
				KUBECONFIG: kubeconfig,
			},
		});
		const ended = new Promise<number>((resolve, reject) => {
			child.on("error", reject);
			child.on("close", (code, signal) =>
				code === null
					? reject(new Error(`kubectl ${args.join(" ")} ended by ${signal}`))
					: resolve(code),
			);
		});
		// kubectl may end without reading all it is given: its exit code tells, not the broken pipe.
		child.stdin.on("error", () => {});
		child.stdin.end(stdin);
		const [code, stdout, stderr] = await Promise.all([
			ended,
			text(child.stdout),
			text(child.stderr),
		]);
		return { stdout, stderr, code };
	}

	/**
	 * Ends everything and removes the folder. Rejects when a component had died by itself, naming the kept logs. With
	 * `keepLogs`, for a test that failed, they are kept anyway and their folder is printed on stderr.
	 */
	stop({ keepLogs = false } = {}): Promise<void> {
		this.#stopped ??= this.#stop(keepLogs);
		return this.#stopped;
	}

	async #stop(keepLogs: boolean): Promise<void> {
		const logs = await this.#processes.end(keepLogs);
		const deaths = [...this.#processes.deaths].map(
			([component, how]) => `${component} (${how})`,
		);
		if (deaths.length > 0)
			throw new Error(
				`died while the cluster ran: ${deaths.join(", ")}; logs: ${logs ?? "lost"}`,
			);
		if (logs) console.error(`logs of the cluster: ${logs}`);
	}

	async #startEtcd(): Promise<void> {
		// Sockets in the folder instead of ports: nobody else can take them.
		const client = `unix://${this.folder}/etcd.sock`;
		const peer = `unix://${this.folder}/etcd-peer.sock`;
		await this.#run(
			"etcd",
			[
				`--data-dir=${join(this.folder, "etcd")}`,
				`--listen-client-urls=${client}`,
				`--advertise-client-urls=${client}`,
				`--listen-peer-urls=${peer}`,
				`--initial-advertise-peer-urls=${peer}`,
				`--initial-cluster=default=${peer}`,
				"--unsafe-no-fsync",
			],
			() =>
				missing(
					requestPlain({
						socketPath: join(this.folder, "etcd.sock"),
						path: "/readyz",
					}),
				),
		);
	}

	async #startControllerManager(): Promise<void> {
		await this.#run(
			"kube-controller-manager",
			[
				`--kubeconfig=${this.kubeconfigPath}`,
				"--leader-elect=false",
				"--secure-port=0",
				`--root-ca-file=${this.caFile}`,
				`--service-account-private-key-file=${join(this.folder, "sa.key")}`,
				...(this.#options.controllerManagerArgs ?? []),
			],
			() => this.#missing("/api/v1/namespaces/default/serviceaccounts/default"),
		);
	}

	async #run(
		component: Component,
		args: string[],
		probe: () => Promise<string | undefined>,
	): Promise<void> {
		const command = join(this.#binaries, component);
		await this.#processes.start(component, command, args, probe);
	}

	#missing(path: string): Promise<string | undefined> {
		let ca: string;
		try {
			ca = readFileSync(this.caFile, "utf8");
		} catch {
			return Promise.resolve(`${this.caFile} is not written yet`);
		}
		const headers = { authorization: `Bearer ${this.adminToken}` };
		return missing(
			request(`${this.server}${path}`, { ca, headers, agent: false }),
		);
	}

	#writeKeys(): void {
		const { privateKey, publicKey } = generateKeyPairSync("ec", {
			namedCurve: "P-256",
			privateKeyEncoding: { type: "pkcs8", format: "pem" },
			publicKeyEncoding: { type: "spki", format: "pem" },
		});
		this.#write("sa.key", privateKey);
		this.#write("sa.pub", publicKey);
	}

	#writeTokens(): void {
		const rows = [[this.adminToken, "admin", "admin", "system:masters"]];
		for (const { name, groups = [] } of this.#options.users ?? []) {
			const token = newToken();
			this.#tokens.set(name, token);
			rows.push([token, name, name, groups.join(",")]);
		}
		const quoted = rows.map((row) =>
			row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(","),
		);
		this.#write("tokens.csv", `${quoted.join("\n")}\n`);
	}

	#writeKubeconfig(path: string, user: string, token: string): void {
		// JSON strings are YAML strings: no name or token can break out of its place.
		writeFileSync(
			path,
			`apiVersion: v1
kind: Config
clusters:
  - name: test
    cluster:
      server: ${this.server}
      certificate-authority-data: ${Buffer.from(this.#ca).toString("base64")}
users:
  - name: ${JSON.stringify(user)}
    user:
      token: ${JSON.stringify(token)}
contexts:
  - name: test
    context:
      cluster: test
      user: ${JSON.stringify(user)}
current-context: test
`,
			{ mode: 0o600 },
		);
	}

	#write(name: string, content: string): void {
		writeFileSync(join(this.folder, name), content, { mode: 0o600 });
	}
}

/** Sends the request; resolves with nothing on 200, else with what came instead. */
function missing(
	sent: ReturnType<typeof request>,
): Promise<string | undefined> {
	return new Promise((resolve) => {
		sent.on("error", (error) => resolve(error.message));
		sent.on("response", (response) => {
			text(response).then(
				(body) =>
					resolve(
						response.statusCode === 200
							? undefined
							: `${sent.path} answered ${response.statusCode}: ${body}`,
					),
				(error: Error) => resolve(error.message),
			);
		});
		sent.end();
	});
}

function newToken(): string {
	return randomBytes(16).toString("hex");
}
