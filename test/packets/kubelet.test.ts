import { jest } from "@jest/globals";
import { createSocket } from "node:dgram";
import {
	existsSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { resources } from "../../operator/cluster/kube.ts";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { bindUdpIn } from "../../operator/kernel/sockets.ts";
import { isReady, main, patient, sh } from "../../sandbox/kubelet/test-pods.ts";
import { TestWorld } from "../../sandbox/kubelet/test-world.ts";
import { eventually } from "../support/eventually.ts";
import { createNetwork } from "../../sandbox/network/create-network.ts";
import type {
	Network,
	NodeNetwork,
	Place,
} from "../../sandbox/network/network.ts";

// Real processes, on a machine that may be busy.
jest.setTimeout(30_000);

let outside: NetworkNamespace;
let folder: string;
let network: Network;
let node: NodeNetwork;
let world: TestWorld;

beforeEach(async () => {
	outside = createNetworkNamespace();
	folder = mkdtempSync(join(tmpdir(), "fairlead-kubelet-"));
	network = createNetwork({ mode: "netns", outside, folder });
	node = network.addNode(1);
	world = await TestWorld.start();
});

afterEach(async () => {
	await world.close();
	await network.close();
	expect(inhabitants(folder)).toEqual([]);
	outside.close();
	rmSync(folder, { recursive: true });
});

/** Processes that have one of this test's files mounted: whatever a pod has started and left. */
function inhabitants(of: string): string[] {
	return readdirSync("/proc").filter((pid) => {
		if (!/^\d+$/.test(pid)) return false;
		try {
			return readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(of);
		} catch {
			// It has ended.
			return false;
		}
	});
}

const hello = {
	image: "fairlead/hello",
	ports: [{ name: "http", containerPort: 8080 }],
	readinessProbe: {
		httpGet: { path: "/healthz", port: "http" },
		periodSeconds: 1,
		failureThreshold: 1,
	},
};

function get(
	from: Place,
	host: string,
	path: string,
	port = 8080,
): Promise<string> {
	return new Promise((resolve, reject) => {
		request({ path, createConnection: () => from.connect({ host, port }) })
			.on("response", (response) => resolve(text(response)))
			.on("error", reject)
			.end();
	});
}

/** What a datagram from a place is answered with. */
async function echo(
	from: Place,
	host: string,
	port: number,
	message: string,
): Promise<string> {
	const { namespace, address } = from;
	if (!namespace) throw new Error("not in mode netns");
	const socket = createSocket("udp4");
	try {
		socket.bind({ fd: bindUdpIn(namespace, address, 0) });
		const answer = new Promise<string>((resolve, reject) => {
			socket.once("message", (bytes) => resolve(bytes.toString()));
			socket.once("error", reject);
		});
		socket.send(message, port, host);
		return await answer;
	} finally {
		socket.close();
	}
}

async function run(name: string, script: string, container?: string) {
	const session = world.access.exec(
		{ namespace: "default", name },
		{
			command: ["sh", "-c", script],
			stdin: false,
			tty: false,
			...(container && { container }),
		},
	);
	const [out, err, end] = await Promise.all([
		text(session.stdout),
		text(session.stderr as Readable),
		session.ended,
	]);
	expect(err).toBe("");
	expect(end).toEqual({ exitCode: 0 });
	return out;
}

test("a pod of fairlead/hello answers at its own address, over HTTP and UDP, and is Ready then", async () => {
	await world.kubelet(node);
	await world.run("web", hello);
	const { status } = await world.pod("web", isReady);
	expect(status).toMatchObject({
		podIP: "10.244.1.2",
		hostIP: "172.30.1.1",
		phase: "Running",
	});
	expect(await get(network.outside, "10.244.1.2", "/")).toBe(
		"hello from web on node-1 (you are 172.30.0.1)\n",
	);
	expect(
		await echo(network.outside, "10.244.1.2", 8080, "anybody there?"),
	).toBe("hello from web on node-1 (you are 172.30.0.1)\n");
	expect(await echo(network.outside, "10.244.1.2", 8080, "hostname")).toBe(
		"web",
	);
	expect(await get(node, "10.244.1.2", "/clientip")).toMatch(
		/^172\.30\.1\.1:\d+\n$/,
	);
});

test("a container has its pod's files and name and the variables of the Services before it", async () => {
	await world.kubelet(node);
	await world.create(resources.services, {
		metadata: { name: "db", namespace: "default" },
		spec: { clusterIP: "10.96.0.77", ports: [{ name: "sql", port: 5432 }] },
	} as never);
	await world.serviceSeen("db");
	await world.run(
		"web",
		sh(`env; cat /etc/resolv.conf /etc/hosts; hostname; echo end; ${patient}`),
	);
	const said = (await world.says("web", "end\n")).split("\n");
	expect(said).toEqual(
		expect.arrayContaining([
			"KUBERNETES_SERVICE_HOST=10.96.0.1",
			"DB_SERVICE_HOST=10.96.0.77",
			"DB_SERVICE_PORT_SQL=5432",
			"DB_PORT_5432_TCP=tcp://10.96.0.77:5432",
			"search default.svc.cluster.local svc.cluster.local cluster.local",
			"nameserver 10.96.0.10",
			"options ndots:5",
			"10.244.1.2\tweb",
			"web",
		]),
	);
	expect(
		await run(
			"web",
			"hostname; echo $HOSTNAME; cat /etc/hostname; echo $DB_SERVICE_HOST",
		),
	).toBe("web\nweb\nweb\n10.96.0.77\n");
});

test("its readiness is looked at from the node, and it is out while it fails", async () => {
	await world.kubelet(node);
	await world.run("web", hello);
	await world.pod("web", isReady);
	await get(node, "10.244.1.2", "/fail");
	await world.pod("web", (pod) => !isReady(pod));
	await get(node, "10.244.1.2", "/fail");
	await world.pod("web", isReady);
});

test("a container that ends is started again, and what it wrote before is kept", async () => {
	await world.kubelet(node);
	await world.run("web", hello);
	await world.pod("web", isReady);
	expect(await get(node, "10.244.1.2", "/exit?code=4")).toBe("bye\n");
	const pod = await world.pod(
		"web",
		(each) => main(each)?.restartCount === 1 && isReady(each),
	);
	expect(main(pod)?.lastState?.terminated?.exitCode).toBe(4);
	expect(await world.log("web", { previous: true })).toMatch(
		"listening on port 8080",
	);
});

test("a container that lives but does not say so is stopped and started again", async () => {
	await world.kubelet(node);
	const probe = { ...hello.readinessProbe, timeoutSeconds: 20 };
	await world.run("web", {
		...hello,
		startupProbe: { ...probe, failureThreshold: 100 },
		livenessProbe: probe,
	});
	await world.pod("web", isReady);
	await get(node, "10.244.1.2", "/fail");
	const pod = await world.pod("web", (each) => main(each)?.restartCount === 1);
	expect(main(pod)?.lastState?.terminated).toMatchObject({
		exitCode: 0,
		reason: "Completed",
	});
});

test("containers of a pod share its address, and each has its own files and log", async () => {
	await world.kubelet(node);
	const client = {
		name: "client",
		image: "busybox",
		...sh(`echo ready; ${patient}`),
	};
	await world.run(
		"two",
		{},
		{ containers: [{ name: "web", ...hello }, client] },
	);
	await world.pod("two", isReady);
	const fetchIt = `${process.execPath} -e 'fetch("http://127.0.0.1:8080/").then(r=>r.text()).then(console.log)'`;
	expect(await run("two", fetchIt, "client")).toBe(
		"hello from two on node-1 (you are 127.0.0.1)\n\n",
	);
	expect(await world.log("two", { container: "client" })).toBe("ready\n");
});

test("a pod on its node's network has the node's address and name", async () => {
	await world.kubelet(node);
	await world.run("host", hello, { hostNetwork: true });
	const pod = await world.pod("host", isReady);
	expect(pod.status?.podIP).toBe("172.30.1.1");
	expect(await get(network.outside, "172.30.1.1", "/hostname")).toBe(
		"node-1\n",
	);
});

test("a pod that is deleted takes everything it started with it, whatever that ignores", async () => {
	await world.kubelet(node);
	await world.run(
		"stubborn",
		sh(
			"trap '' TERM; setsid sleep 1000 & (trap '' TERM HUP; sleep 1000) & echo up; wait; wait",
		),
	);
	await world.says("stubborn", "up\n");
	const shell = world.access.exec(
		{ namespace: "default", name: "stubborn" },
		{ command: ["sleep", "1000"], stdin: false, tty: false },
	);
	expect(inhabitants(folder).length).toBeGreaterThanOrEqual(3);
	await world.delete("stubborn", 1);
	await world.gone("stubborn");
	expect(await shell.ended).toEqual({ exitCode: 137 });
	await network.close();
	expect(inhabitants(folder)).toEqual([]);
});

test("a pod that drains loses no request it took", async () => {
	await world.kubelet(node);
	const env = [{ name: "HELLO_DRAIN_MS", value: "3000" }];
	await world.run(
		"web",
		{ ...hello, env },
		{ terminationGracePeriodSeconds: 20 },
	);
	await world.pod("web", isReady);
	const slow = get(network.outside, "10.244.1.2", "/slow?ms=3500");
	await world.delete("web");
	await eventually(
		() => get(network.outside, "10.244.1.2", "/healthz"),
		(answer) => expect(answer).toBe("shutting down\n"),
	);
	expect(await slow).toMatch(/^hello from web/);
	await world.gone("web");
	const lost = get(network.outside, "10.244.1.2", "/");
	await expect(lost).rejects.toThrow();
});

test("a kubelet that stops leaves nothing running, and one that comes back starts its pods again", async () => {
	const kubelet = await world.kubelet(node);
	await world.run("web", hello);
	await world.pod("web", isReady);
	await kubelet.stop();
	world.kubelets.length = 0;
	expect(inhabitants(folder)).toEqual([]);
	await world.kubelet(node);
	const pod = await world.pod(
		"web",
		(each) => main(each)?.restartCount === 1 && isReady(each),
	);
	expect(await get(network.outside, pod.status?.podIP ?? "", "/hostname")).toBe(
		"web\n",
	);
});

test("two nodes run pods of their own, which reach each other", async () => {
	const other = network.addNode(2);
	await world.kubelet(node);
	await world.kubelet(other);
	await world.run("one", hello);
	await world.run("two", hello, { nodeName: "node-2" });
	await world.pod("one", isReady);
	const { status } = await world.pod("two", isReady);
	expect(status?.podIP).toBe("10.244.2.2");
	const ask = `${process.execPath} -e 'fetch("http://10.244.2.2:8080/").then(r=>r.text()).then(console.log)'`;
	expect(await run("one", ask)).toBe(
		"hello from two on node-2 (you are 10.244.1.2)\n\n",
	);
});

test("the files of a pod are gone with it", async () => {
	await world.kubelet(node);
	await world.run("web", sh(patient));
	await world.pod("web", isReady);
	await world.delete("web", 1);
	await world.gone("web");
	expect(existsSync(folder)).toBe(true);
	expect(
		readdirSync(folder, { recursive: true }).filter((name) =>
			String(name).includes("file-"),
		),
	).toEqual([]);
});
