import { TestNode } from "./test-node.ts";
import { isReady, TestWorld } from "./test-world.ts";

let world: TestWorld;
let node: TestNode;

beforeEach(async () => {
	world = await TestWorld.start();
	node = new TestNode();
});

afterEach(async () => {
	await world.close();
	expect(node.alive).toEqual([]);
});

const hello = {
	image: "fairlead/hello",
	ports: [{ name: "http", containerPort: 8080 }],
	readinessProbe: { httpGet: { path: "/healthz", port: "http" } },
};

async function get(ip: string, port: number, path: string): Promise<string> {
	const at = node.pods.get(ip)?.ports.get(port);
	const answer = await fetch(`http://${at?.host}:${at?.port}${path}`);
	return answer.text();
}

describe("a pod of the image fairlead/hello", () => {
	it("is Ready as soon as it answers, and answers with its name", async () => {
		await world.kubelet(node);
		await world.run("web", hello);
		const pod = await world.pod("web", isReady);
		expect(pod.status).toMatchObject({
			phase: "Running",
			podIP: "10.244.1.2",
			podIPs: [{ ip: "10.244.1.2" }],
			hostIP: "127.0.1.1",
			containerStatuses: [
				{
					name: "main",
					ready: true,
					started: true,
					restartCount: 0,
					containerID: expect.stringMatching(/^process:\/\/\d+$/) as string,
					state: { running: {} },
				},
			],
		});
		expect(await get("10.244.1.2", 8080, "/")).toBe(
			"hello from web on node-1 (you are 127.0.0.1)\n",
		);
	});

	it("drains when it is deleted, and its object goes with its process", async () => {
		await world.kubelet(node);
		await world.run("web", hello);
		await world.pod("web", isReady);
		const slow = get("10.244.1.2", 8080, "/slow?ms=300");
		await world.delete("web", 5);
		expect(await slow).toMatch(/^hello from web/);
		await world.gone("web");
		expect(node.alive).toEqual([]);
		expect(node.pods.size).toBe(0);
	});
});
