import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jest } from "@jest/globals";
import type { Service } from "../../operator/api/core.ts";
import type { AddressPool } from "../../operator/api/fairlead.ts";
import { conditions } from "../../operator/api/names.ts";
import { CallProxy } from "../support/call-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { Fairlead } from "../support/fairlead.ts";
import { World } from "../support/world.ts";

jest.setTimeout(90_000);

let world: World;
let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "fairlead-failures-"));
	world = await World.start();
	await world.furnish();
});
afterAll(async () => {
	await world?.stop();
	await rm(folder, { recursive: true, force: true });
});

const condition = (service: Service, type: string): string | undefined => {
	const found = service.status?.conditions?.find((each) => each.type === type);
	return found && `${found.status}/${found.reason}: ${found.message}`;
};
const ready = async (controller: Fairlead) => {
	const { probes } = await controller.logged(
		({ probes }) => probes !== undefined,
	);
	const answer = await fetch(`http://127.0.0.1:${String(probes)}/readyz`);
	return { status: answer.status, text: await answer.text() };
};

describe("a command line that cannot work ends at once, in one line, with the right code", () => {
	let busy: Server;
	let port: number;
	beforeAll(async () => {
		busy = createServer().listen(0, "127.0.0.1");
		await new Promise((resolve) => busy.once("listening", resolve));
		({ port } = busy.address() as AddressInfo);
		await writeFile(join(folder, "not-yaml"), "{{{");
		await writeFile(
			join(folder, "no-context"),
			'{"apiVersion":"v1","kind":"Config","current-context":"gone"}',
		);
		await writeFile(join(folder, "file"), "");
		await writeFile(join(folder, "tokens"), "one two three four\n");
	});
	afterAll(() => new Promise((resolve) => busy.close(resolve)));

	it.each<[string, () => string[], number, RegExp]>([
		[
			"a kubeconfig that does not exist",
			() => ["controller", "--kubeconfig", join(folder, "missing")],
			1,
			/^fairlead controller: .*missing/,
		],
		[
			"a kubeconfig that is no YAML",
			() => ["controller", "--kubeconfig", join(folder, "not-yaml")],
			1,
			/^fairlead controller: .*not-yaml/,
		],
		[
			"a kubeconfig without the context it names",
			() => ["controller", "--kubeconfig", join(folder, "no-context")],
			1,
			/^fairlead controller: .*gone/,
		],
		[
			"no kubeconfig at all",
			() => ["controller"],
			1,
			/^fairlead controller: no kubeconfig: /,
		],
		[
			"a metrics port that is taken",
			() => [
				"controller",
				"--kubeconfig",
				world.cluster.kubeconfigPath,
				"--metrics-port",
				String(port),
			],
			1,
			/^fairlead controller: cannot listen on 127\.0\.0\.1:\d+: the port is taken$/,
		],
		[
			"an audit schedule that is none",
			() => [
				"controller",
				"--kubeconfig",
				world.cluster.kubeconfigPath,
				"--audit-schedule",
				"often",
			],
			2,
			/^fairlead controller: --audit-schedule "often": must be a cron expression/,
		],
		[
			"a flag that does not exist",
			() => ["controller", "--colour"],
			2,
			/^fairlead controller: Unknown option '--colour'/,
		],
		[
			"a command that does not exist",
			() => ["controler"],
			2,
			/^fairlead: there is no command controler; it has .*controller/,
		],
		[
			"a cloud port that is taken",
			() => ["fake-cloud", "--listen", `127.0.0.1:${port}`],
			1,
			/^fairlead fake-cloud: cannot listen on 127\.0\.0\.1:\d+: the port is taken$/,
		],
		[
			"a sandbox port that is given and taken",
			() => ["sandbox", "--cloud-port", String(port)],
			1,
			/^fairlead sandbox: cannot listen on 127\.0\.0\.1:\d+: the port is taken$/,
		],
		[
			"a data directory that is a file",
			() => [
				"fake-cloud",
				"--listen",
				"127.0.0.1:0",
				"--data",
				join(folder, "file"),
			],
			1,
			/^fairlead fake-cloud: .*file/,
		],
		[
			"a token file with a line nobody understands",
			() => ["fake-cloud", "--token-file", join(folder, "tokens")],
			2,
			/^fairlead fake-cloud: token file, line 1: /,
		],
	])("%s", async (_what, args, code, line) => {
		const process = new Fairlead(args());
		expect(await process.ended).toEqual({ code, signal: null });
		const said = process.log.filter(({ level }) => level === "none");
		expect(said).toHaveLength(1);
		expect(said[0]?.msg).toMatch(line);
	});
});

describe("an API server that cannot be reached", () => {
	it("keeps the controller trying and not ready, and lets it go on when it is back", async () => {
		await world.cluster.stopApiServer("SIGKILL");
		const controller = world.controller();
		const { status, text } = await eventually(
			() => ready(controller),
			(answer) => expect(answer.text).toContain("services: "),
		);
		expect(status).toBe(503);
		expect(text).toMatch(/services: .*(refused|ECONNREFUSED|not read)/);
		await world.cluster.startApiServer();
		await eventually(
			() => ready(controller),
			(answer) => expect(answer).toEqual({ status: 200, text: "ok\n" }),
			60_000,
		);
		await world.service("after-outage");
		await world.address("after-outage");
		await world.cluster.restartApiServer("SIGKILL");
		await world.service("after-restart");
		await world.address("after-restart");
		await world.kubectl(
			"delete",
			"svc",
			"after-outage",
			"after-restart",
			"--timeout=60s",
		);
		expect(controller.child.exitCode).toBeNull();
		await controller.kill("SIGTERM");
	});

	it("that accepts no token is said in one line, not again and again", async () => {
		const controller = new Fairlead([
			"controller",
			"--kubeconfig",
			world.cluster.kubeconfigFor({ token: "wrong" }),
			"--metrics-port",
			"0",
			"--no-leader-elect",
		]);
		await eventually(
			() => ready(controller),
			({ text }) => expect(text).toContain("Unauthorized"),
		);
		const said = controller.log.filter(({ msg }) => msg.includes("services"));
		expect(said.length).toBeLessThanOrEqual(2);
		expect(JSON.stringify(controller.log)).not.toContain("wrong");
		await controller.kill("SIGTERM");
	});
});

describe("a cloud that misbehaves", () => {
	let controller: Fairlead;
	beforeAll(async () => {
		controller = world.controller();
		await controller.logged(({ msg }) => msg.startsWith("leads"));
		await world.apply("-", {
			apiVersion: "v1",
			kind: "List",
			items: [
				{
					apiVersion: "fairlead.dev/v1alpha1",
					kind: "BalancerClass",
					metadata: { name: "lab" },
					spec: { provider: "Static" },
				},
				{
					apiVersion: "fairlead.dev/v1alpha1",
					kind: "AddressPool",
					metadata: { name: "lab" },
					spec: { addresses: ["198.51.100.0/24"] },
				},
			],
		});
	});
	afterEach(async () => {
		await world.faults([]);
	});
	afterAll(() => controller.kill("SIGTERM"));

	it.each<[string, string, object, string]>([
		["500", "ill-500", { kind: "error", status: 500 }, "CloudServerError"],
		["429", "ill-429", { kind: "rate-limit" }, "CloudRateLimited"],
		["garbage", "ill-garbage", { kind: "garbage" }, "CloudBadAnswer"],
		[
			"a reset connection",
			"ill-reset",
			{ kind: "drop-request" },
			"CloudUnreachable",
		],
	])(
		"by %s is named on the Service it concerns; others are served meanwhile, and it too once the cloud is well",
		async (_what, name, effect, reason) => {
			await world.faults([{ match: { method: "POST" }, effect }]);
			await world.service(name);
			await eventually(
				() => world.get(name),
				(found) =>
					expect(condition(found, conditions.provisioned)).toMatch(
						`False/${reason}`,
					),
			);
			await world.service(`well-${name}`, {
				loadBalancerClass: "fairlead.dev/lab",
			});
			await world.address(`well-${name}`);
			expect(
				(await world.get(name)).status?.loadBalancer?.ingress,
			).toBeUndefined();
			await world.faults([]);
			await world.address(name);
			await world.kubectl("delete", "svc", name, "--timeout=60s");
		},
	);

	it("by losing the answer to a create after doing it makes one balancer, not two", async () => {
		await world.faults([
			{
				match: { method: "POST", path: "^/v1/load_balancers$" },
				count: 1,
				effect: { kind: "drop-response" },
			},
		]);
		await world.service("lost");
		await world.address("lost");
		expect(await world.balancers()).toHaveLength(1);
		await world.kubectl("delete", "svc", "lost", "--timeout=60s");
		expect(await world.balancers()).toEqual([]);
	});

	it("by not accepting the token is named, and served once the Secret is right", async () => {
		const set = (token: string) =>
			world.apply("-", {
				apiVersion: "v1",
				kind: "Secret",
				metadata: { namespace: "kube-system", name: "other-token" },
				stringData: { token },
			});
		await set("mistyped");
		const { spec } = JSON.parse(
			await world.kubectl("get", "balancerclass", "cloud", "-o", "json"),
		) as { spec: { hetznerCloud: object } };
		await world.apply("-", {
			apiVersion: "fairlead.dev/v1alpha1",
			kind: "BalancerClass",
			metadata: { name: "other" },
			spec: {
				provider: "HetznerCloud",
				hetznerCloud: {
					...spec.hetznerCloud,
					tokenSecretRef: { namespace: "kube-system", name: "other-token" },
				},
			},
		});
		await world.service("locked-out", {
			loadBalancerClass: "fairlead.dev/other",
		});
		const refused = await eventually(
			() => world.get("locked-out"),
			(found) =>
				expect(condition(found, conditions.provisioned)).toContain(
					"False/CloudUnauthorized",
				),
		);
		expect(JSON.stringify(refused.status)).not.toContain("mistyped");
		await set("test-token");
		await eventually(
			() => world.get("locked-out"),
			(found) => expect(found.status?.loadBalancer?.ingress).toHaveLength(1),
			80_000,
		);
		await world.kubectl("delete", "svc", "locked-out", "--timeout=60s");
	});
});

describe("a world in which nothing changes", () => {
	let kube: CallProxy;
	beforeAll(async () => {
		const { server, ca } = world.cluster;
		kube = await CallProxy.start({ side: "kube", upstream: server, ca });
	});
	afterAll(() => kube.close());

	it("is read and never written, by a second look and by a restart", async () => {
		const { adminToken } = world.cluster;
		const kubeconfig = join(folder, "proxied");
		await writeFile(
			kubeconfig,
			JSON.stringify({
				apiVersion: "v1",
				kind: "Config",
				"current-context": "p",
				contexts: [{ name: "p", context: { cluster: "c", user: "u" } }],
				clusters: [{ name: "c", cluster: { server: kube.url } }],
				users: [{ name: "u", user: { token: adminToken } }],
			}),
		);
		await chmod(kubeconfig, 0o600);
		const start = () =>
			world.controller(
				"--kubeconfig",
				kubeconfig,
				"--audit-schedule",
				"* * * * * *",
				"--log-level",
				"debug",
			);
		/** Calls to the cloud, as the controller logs them. */
		const cloudCalls = (controller: Fairlead) =>
			controller.log
				.map(({ call }) => call)
				.filter((call) => typeof call === "string");
		const first = start();
		await world.service("still-1");
		await world.service("still-2");
		await world.service("still-3", { loadBalancerClass: "fairlead.dev/lab" });
		for (const name of ["still-1", "still-2", "still-3"])
			await eventually(
				() => world.get(name),
				(found) =>
					expect(condition(found, conditions.serving)).toMatch(/^True/),
			);
		const { items } = JSON.parse(
			await world.kubectl("get", "svc", "-o", "json"),
		) as { items: Service[] };
		const inLab = items.filter(({ spec }) =>
			spec.loadBalancerClass?.endsWith("/lab"),
		);
		await eventually(
			() => world.kubectl("get", "addresspool", "lab", "-o", "json"),
			(text) => {
				const { status } = JSON.parse(text) as AddressPool;
				expect(status?.ipv4?.assigned).toBe(String(inLab.length));
			},
		);
		await first.kill("SIGTERM");
		const before = kube.calls.length;
		const second = start();
		// Three audits, each a fresh list of what the cloud has.
		await eventually(
			() => cloudCalls(second).filter((call) => call === "GET /load_balancers"),
			(lists) => expect(lists.length).toBeGreaterThanOrEqual(4),
		);
		await second.kill("SIGTERM");
		expect(
			cloudCalls(second).filter((call) => !call.startsWith("GET")),
		).toEqual([]);
		expect(
			kube.calls
				.slice(before)
				.filter(({ method }) => method !== "GET")
				.map(({ method, path }) => `${method} ${path}`),
		).toEqual([]);
	});
});
