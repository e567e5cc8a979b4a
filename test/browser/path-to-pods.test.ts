import type { Browser, Page } from "playwright-core";
import { ServiceFeed } from "../../fake-cloud/dashboard/services/service-feed.ts";
import type { FakeCloud } from "../../fake-cloud/server.ts";
import type { EndpointSlice, Service } from "../../operator/api/core.ts";
import { systemClock } from "../../operator/clock.ts";
import { Store } from "../../operator/cluster/index.ts";
import { launchBrowser, openPage } from "../support/browser.ts";
import { quietLog } from "../support/quiet-log.ts";
import { makeBalancer, makeServer, startCloud } from "./cloud.ts";

import.meta.jest.setTimeout(60_000);

let browser: Browser;
let cloud: FakeCloud;
let services: Store<Service>;
let slices: Store<EndpointSlice>;
let page: Page;
let complaints: string[];

beforeAll(async () => {
	browser = await launchBrowser();
});
afterAll(() => browser.close());

beforeEach(async () => {
	services = new Store<Service>({ clock: systemClock, log: quietLog() });
	slices = new Store<EndpointSlice>({ clock: systemClock, log: quietLog() });
	cloud = await startCloud({
		services: new ServiceFeed({ clock: systemClock, services, slices }),
	});
	const first = await makeServer(cloud, "node-1", "127.0.1.1");
	const second = await makeServer(cloud, "node-2", "127.0.1.2");
	await makeBalancer(cloud, "web", {
		ports: [[80, 30080]],
		servers: [first, second],
	});
	({ page, complaints } = await openPage(browser));
	await page.goto(cloud.url);
	await page.locator("[data-phase=live]").waitFor();
});
afterEach(async () => {
	await page.context().close();
	await cloud.close();
});

let version = 0;
const meta = (name: string, labels = {}) => ({
	namespace: "shop",
	name,
	uid: name,
	resourceVersion: String(++version),
	labels,
});
const putService = (policy: "Cluster" | "Local") =>
	services.put({
		metadata: meta("web"),
		spec: {
			type: "LoadBalancer",
			clusterIPs: ["10.96.0.7"],
			externalTrafficPolicy: policy,
			ports: [{ port: 80, nodePort: 30080 }],
		},
	});
const putPods = (pods: { name: string; node: string; ready: boolean }[]) =>
	slices.put({
		metadata: meta("web-1", { "kubernetes.io/service-name": "web" }),
		addressType: "IPv4",
		ports: [{ port: 8080 }],
		endpoints: pods.map(({ name, node, ready }, index) => ({
			addresses: [`10.244.0.${index + 2}`],
			nodeName: node,
			conditions: { ready },
			targetRef: { kind: "Pod", name },
		})),
	});

const pod = (name: string, word: string) =>
	page
		.locator("svg .box.pod", { hasText: name })
		.locator(".status", { hasText: new RegExp(` ${word}$`) });
/** Two addresses, two nodes, and the lines from nodes to pods. */
const edges = (count: number) =>
	page
		.locator("svg path.edge")
		.nth(count - 1)
		.waitFor({ state: "attached" })
		.then(() => page.locator("svg path.edge").nth(count))
		.then((next) => next.waitFor({ state: "detached" }));
const sentence = (text: string | RegExp) =>
	page.locator("#path-sentence", { hasText: text }).waitFor();

test("a path goes down to the pods, and follows them as they come, get ready and go, without a reload", async () => {
	putService("Cluster");
	await page.locator("svg .box", { hasText: "no pods" }).waitFor();
	putPods([
		{ name: "web-a", node: "node-1", ready: true },
		{ name: "web-b", node: "node-2", ready: false },
	]);
	await pod("web-a", "ready").waitFor();
	await pod("web-b", "not ready").waitFor();
	await sentence(/Each node hands them to any of 1 ready pod\.|No target/);
	await edges(2 + 2 + 4);
	putService("Local");
	await edges(2 + 2 + 2);
	const row = page
		.getByRole("table")
		.getByRole("row", { name: /^shop\/web LoadBalancer/ });
	await row.getByText("1 of 2").waitFor();
	putPods([{ name: "web-b", node: "node-2", ready: true }]);
	await pod("web-a", "ready").waitFor({ state: "detached" });
	await row.getByText("1 of 1").waitFor();
	expect(complaints).toEqual([]);
});

test("a Service that goes leaves the table, and the path ends at the nodes again", async () => {
	putService("Cluster");
	putPods([{ name: "web-a", node: "node-1", ready: true }]);
	await pod("web-a", "ready").waitFor();
	const [service] = services.values();
	services.remove({
		...(service as Service),
		metadata: meta("web"),
	});
	await page.locator("svg .box.pod").waitFor({ state: "detached" });
	await page.locator("svg .box.target", { hasText: "node-1" }).waitFor();
	expect(complaints).toEqual([]);
});
