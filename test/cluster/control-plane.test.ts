import { jest } from "@jest/globals";
import { connect } from "node:net";
import { once } from "node:events";
import { type Cluster, startCluster } from "../support/cluster.ts";

jest.setTimeout(120_000);

let cluster: Cluster;
beforeAll(async () => {
	cluster = await startCluster({
		controllerManager: true,
		dualStack: true,
		apiServerArgs: ["--service-node-port-range=31000-31009"],
		users: [{ name: "reader", groups: ["readers", "people"] }],
	});
});
afterAll(() => cluster.stop());

/** Standard output of a kubectl that must succeed. */
async function kubectl(args: string[], stdin = ""): Promise<string> {
	const { stdout, stderr, code } = await cluster.kubectl(args, { stdin });
	if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
	return stdout;
}

function service(namespace: string, spec: object): string {
	return JSON.stringify({
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: "web", namespace },
		spec,
	});
}

async function field(namespace: string, path: string): Promise<string> {
	return kubectl([
		...["get", "service", "web", "--namespace", namespace],
		...["--output", `jsonpath={${path}}`],
	]);
}

test("it is the pinned Kubernetes, server and client", async () => {
	const version = JSON.parse(await kubectl(["version", "--output=json"])) as {
		[side: string]: { gitVersion: string; major: string; minor: string };
	};
	for (const side of ["serverVersion", "clientVersion"])
		expect(version[side]).toMatchObject({
			gitVersion: expect.stringMatching(/^v1\.\d+\.\d+$/),
			major: "1",
			minor: version[side]?.gitVersion.split(".")[1],
		});
});

test("a Service made with kubectl gets an address of each family and a NodePort of the range in the flags", async () => {
	await kubectl(["create", "namespace", "made"]);
	await kubectl(
		["apply", "--filename=-"],
		service("made", {
			type: "LoadBalancer",
			ipFamilyPolicy: "RequireDualStack",
			ports: [{ port: 80 }],
		}),
	);
	expect(await field("made", ".spec.clusterIPs[0]")).toMatch(/^10\.96\./);
	expect(await field("made", ".spec.clusterIPs[1]")).toMatch(/^fd00:10:96::/);
	expect(await field("made", ".spec.ports[0].nodePort")).toMatch(/^3100\d$/);
});

test("a namespace is really deleted, with what is in it", async () => {
	await kubectl(["create", "namespace", "gone"]);
	await kubectl(
		["apply", "--filename=-"],
		service("gone", { ports: [{ port: 80 }] }),
	);
	await kubectl(["delete", "namespace", "gone", "--wait"]);
	const { stderr, code } = await cluster.kubectl(["get", "namespace", "gone"]);
	expect(stderr).toContain("NotFound");
	expect(code).toBe(1);
});

test("a user may do what RBAC grants to one of its groups, and nothing else", async () => {
	const kubeconfig = cluster.kubeconfigFor({ user: "reader" });
	const may = async (verb: string) =>
		(
			await cluster.kubectl(["auth", "can-i", verb, "services"], { kubeconfig })
		).stdout.trim();
	expect(await may("list")).toBe("no");
	await kubectl([
		...["create", "clusterrolebinding", "readers"],
		...["--clusterrole=view", "--group=people"],
	]);
	// The authorizer hears of the binding through a watch of its own, a moment later.
	while ((await may("list")) !== "yes");
	expect(await may("create")).toBe("no");
});

test("a service account's token is accepted, and is its own", async () => {
	const token = await kubectl(["create", "token", "default"]);
	const { stdout } = await cluster.kubectl(["auth", "whoami"], {
		kubeconfig: cluster.kubeconfigFor({ token: token.trim() }),
	});
	expect(stdout).toContain("system:serviceaccount:default:default");
});

test("a kubeconfig for a user nobody made is an error that names those there are", () => {
	expect(() => cluster.kubeconfigFor({ user: "nobody" })).toThrow(
		"no user nobody in this cluster; startCluster({ users }) made: reader",
	);
});

test.each(["SIGTERM", "SIGKILL"] as const)(
	"after %s and a new start the API server has the same data on the same port",
	async (signal) => {
		const namespace = `kept-${signal.toLowerCase()}`;
		await kubectl(["create", "namespace", namespace]);
		await kubectl(
			["apply", "--filename=-"],
			service(namespace, { ports: [{ port: 80 }] }),
		);
		const before = await field(namespace, ".metadata.uid");

		await cluster.stopApiServer(signal);
		const { hostname, port } = new URL(cluster.server);
		const socket = connect(Number(port), hostname);
		await expect(once(socket, "connect")).rejects.toThrow("ECONNREFUSED");
		await cluster.startApiServer();

		expect(await field(namespace, ".metadata.uid")).toBe(before);
	},
);
