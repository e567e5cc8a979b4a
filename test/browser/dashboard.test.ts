import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { FakeCloud } from "../../fake-cloud/server.ts";
import { launchBrowser, openPage } from "../support/browser.ts";
import { NodeProcess } from "../support/node-process.ts";
import { getThroughDoor } from "../support/through-door.ts";
import { call, makeBalancer, makeServer, startCloud } from "./cloud.ts";
import { PulledPlug } from "./pulled-plug.ts";

import.meta.jest.setTimeout(60_000);

let browser: Browser;
const undo: (() => unknown)[] = [];

beforeAll(async () => {
	browser = await launchBrowser();
});
afterEach(async () => {
	for (const step of undo.splice(0).reverse()) await step();
});
afterAll(() => browser.close());

const cloudFor = async (
	options?: Parameters<typeof startCloud>[0],
): Promise<FakeCloud> => {
	const cloud = await startCloud(options);
	undo.push(() => cloud.close());
	return cloud;
};

/** The page of a cloud, live. */
async function open(url: string) {
	const { page, complaints } = await openPage(browser);
	undo.push(() => page.context().close());
	await page.goto(url);
	await phase(page, "live");
	return { page, complaints };
}

const phase = (page: Page, name: string, how?: string) =>
	page
		.locator(`[data-phase=${name}]${how ? `[data-how=${how}]` : ""}`)
		.waitFor();

const row = (page: Page, service: string) =>
	page.getByRole("table", { name: /^Balancers/ }).getByRole("row", {
		name: service,
	});

test("an empty cloud says what to do, and the first balancer shows without a reload", async () => {
	const cloud = await cloudFor();
	const { page, complaints } = await open(cloud.url);
	await page.getByRole("heading", { name: "No balancers yet" }).waitFor();
	await page.getByText(`curl -X POST ${cloud.url}/v1/load_balancers`).waitFor();
	await page.evaluate("globalThis.notReloaded = true");

	await makeBalancer(cloud, "web", { ports: [[80, 30080]] });

	await row(page, "shop/web").waitFor();
	await page.getByRole("heading", { name: "shop/web" }).waitFor();
	await page.getByText("create load balancer").waitFor();
	expect(await page.evaluate("globalThis.notReloaded")).toBe(true);
	expect(complaints).toEqual([]);
});

test("a target that fails its health check shows in the tables, in the drawing and to who listens; so does its recovery", async () => {
	const node = new NodeProcess("node-1", "127.0.0.21");
	await node.open(30080);
	undo.push(() => node.close());
	const cloud = await cloudFor();
	const server = await makeServer(cloud, "node-1", node.address);
	const { page, complaints } = await open(cloud.url);
	await makeBalancer(cloud, "web", {
		ports: [[80, 30080]],
		servers: [server],
	});
	const health = page.locator(
		`[data-target="server:${server}"] [data-port="80"]`,
	);
	const heard = page.getByRole("status");

	await health.getByText("healthy", { exact: true }).waitFor();
	await page
		.getByRole("img", { name: /go to node-1, the only target/ })
		.waitFor();

	await node.shut(30080);
	await health.getByText("unhealthy", { exact: true }).waitFor();
	await health.getByText("127.0.0.21").waitFor();
	await row(page, "shop/web").getByText("0 of 1 healthy").waitFor();
	await page
		.locator("figure svg")
		.getByText("▲ unhealthy", { exact: true })
		.waitFor();
	await page
		.getByRole("img", { name: /No target can serve port 80/ })
		.waitFor();
	await heard.getByText("node-1 is unhealthy on port 80").waitFor();

	await node.open(30080);
	await health.getByText("healthy", { exact: true }).waitFor();
	await heard.getByText("node-1 is healthy on port 80").waitFor();
	expect(complaints).toEqual([]);
});

test("connections and bytes count up as they are carried", async () => {
	const node = new NodeProcess("node-1", "127.0.0.22");
	await node.open(30080);
	undo.push(() => node.close());
	const cloud = await cloudFor();
	const server = await makeServer(cloud, "node-1", node.address);
	const id = await makeBalancer(cloud, "web", {
		ports: [[80, 30080]],
		servers: [server],
	});
	const { page } = await open(cloud.url);
	await page
		.locator(`[data-target="server:${server}"]`)
		.getByText("healthy", { exact: true })
		.waitFor();
	const address = cloud.state().balancers.find((one) => one.id === id)
		?.addresses[0];

	for (let i = 0; i < 3; i++)
		expect(
			(await getThroughDoor(cloud.door ?? "", address ?? "", 80)).body,
		).toBe("node-1");

	await page
		.getByText(/^3 connections, [1-9]\d* B in, [1-9]\d* B out$/)
		.waitFor();
	await page
		.getByRole("table", { name: /^Targets of/ })
		.getByRole("row", { name: /node-1 .* 3 / })
		.waitFor();
});

test("after a broken connection the page goes on where it was, without reading everything again", async () => {
	const cloud = await cloudFor();
	await makeBalancer(cloud, "before");
	const plug = new PulledPlug(cloud.port);
	const url = await plug.listen();
	undo.push(() => plug.close());
	const { page } = await open(url);
	const reads: string[] = [];
	page.on("request", (request) => {
		if (request.url().endsWith("/fairlead/state")) reads.push(request.url());
	});

	plug.cut();
	await phase(page, "reconnecting");
	await makeBalancer(cloud, "meanwhile");
	plug.mend();

	await phase(page, "live", "resumed");
	await row(page, "shop/meanwhile").waitFor();
	await row(page, "shop/before").waitFor();
	expect(reads).toEqual([]);
});

test("after a restart of the cloud the page shows what it has now", async () => {
	const dataDir = await mkdtemp(join(tmpdir(), "fairlead-dashboard-"));
	undo.push(() => rm(dataDir, { recursive: true, force: true }));
	const first = await startCloud({ dataDir });
	await makeBalancer(first, "stays");
	const leaves = await makeBalancer(first, "leaves");
	const { page } = await open(first.url);
	await row(page, "shop/leaves").waitFor();

	await first.close();
	await phase(page, "reconnecting");
	const second = await cloudFor({ dataDir, port: first.port });
	expect(
		(await call(second, "DELETE", `/load_balancers/${leaves}`)).status,
	).toBeLessThan(300);
	await makeBalancer(second, "new");

	await phase(page, "live", "reread");
	await row(page, "shop/new").waitFor();
	await row(page, "shop/stays").waitFor();
	await row(page, "shop/leaves").waitFor({ state: "detached" });
});

test("a fault added by the panel meets the API's requests until it is removed there", async () => {
	const cloud = await cloudFor();
	const { page, complaints } = await open(cloud.url);
	const panel = page.getByRole("region", { name: "Faults" });
	await panel.getByLabel("What goes wrong").selectOption("Error answers");
	await panel.getByLabel("Code").fill("<b>over</b>");
	await panel.getByText("Which requests, how often").click();
	await panel.getByLabel("Path matches").fill("/load_balancers$");
	await panel.getByRole("button", { name: "Add fault" }).click();
	// The code is text, whatever is in it.
	const fault = panel
		.getByRole("listitem")
		.filter({ hasText: "Answer 503 <b>over</b>" });
	await fault.waitFor();

	expect((await call(cloud, "GET", "/load_balancers")).status).toBe(503);
	expect((await call(cloud, "GET", "/servers")).status).toBe(200);
	await fault.getByText("1 hit", { exact: true }).waitFor();

	await fault.getByRole("button", { name: /^Remove/ }).click();
	await panel.getByText("None: the cloud does what it is asked.").waitFor();
	expect((await call(cloud, "GET", "/load_balancers")).status).toBe(200);
	expect(complaints).toEqual([]);
});

test("a fault form that is wrong says where, and sends nothing", async () => {
	const cloud = await cloudFor();
	const { page } = await open(cloud.url);
	const panel = page.getByRole("region", { name: "Faults" });
	await panel.getByLabel("Wait, ms").fill("soon");
	await panel.getByRole("button", { name: "Add fault" }).click();
	await panel.getByText('"soon" is not a whole number').waitFor();
	const field = panel.getByLabel("Wait, ms");
	expect(await field.getAttribute("aria-invalid")).toBe("true");
	await field.and(page.locator(":focus")).waitFor();
	expect(cloud.state().faults).toEqual([]);
});

test("all faults are cleared at once", async () => {
	const cloud = await cloudFor();
	const { page } = await open(cloud.url);
	const panel = page.getByRole("region", { name: "Faults" });
	for (const kind of ["Rate limit (429)", "Actions that never end"]) {
		await panel.getByLabel("What goes wrong").selectOption(kind);
		await panel.getByRole("button", { name: "Add fault" }).click();
		await panel
			.getByText(
				kind.startsWith("Rate") ? "Answer 429" : "The action never ends",
			)
			.waitFor();
	}
	await panel.getByRole("button", { name: "Clear all" }).click();
	await panel.getByText("None: the cloud does what it is asked.").waitFor();
	expect(cloud.state().faults).toEqual([]);
});

test("without a cluster the page says in one line that it cannot know why Services wait, and how to enable it", async () => {
	const { page } = await open((await cloudFor()).url);
	await page.getByText("start it with --kubeconfig FILE").waitFor();
});

test("a cluster that cannot be asked is named as the reason", async () => {
	const cloud = await cloudFor({
		explain: () => Promise.reject(new Error("connection refused")),
	});
	const { page } = await open(cloud.url);
	await page
		.getByText("The cluster could not be asked: connection refused")
		.waitFor();
});

test("the page runs under a policy that refuses everything from elsewhere and everything inline", async () => {
	const cloud = await cloudFor();
	const { page, complaints } = await open(cloud.url);
	const { headers } = await fetch(cloud.url);
	expect(headers.get("content-security-policy")).toContain(
		"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:",
	);
	expect(headers.get("x-content-type-options")).toBe("nosniff");
	expect(headers.get("referrer-policy")).toBe("no-referrer");
	expect(complaints).toEqual([]);

	const refused = await page.evaluate(`new Promise((resolve) => {
		document.addEventListener("securitypolicyviolation", (event) =>
			resolve(event.effectiveDirective + " " + event.blockedURI),
		);
		new Image().src = "http://127.0.0.99/picture.png";
	})`);
	expect(refused).toBe("img-src http://127.0.0.99/picture.png");
	expect(complaints).toHaveLength(1);
});
