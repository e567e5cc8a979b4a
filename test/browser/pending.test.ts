import axe, { type AxeResults } from "axe-core";
import type { Browser } from "playwright-core";
import { explainCluster } from "../../fake-cloud/dashboard/explain-cluster.ts";
import type { FakeCloud } from "../../fake-cloud/server.ts";
import type { KubeObject } from "../../operator/api/meta.ts";
import { systemClock } from "../../operator/clock.ts";
import type { KubeClient } from "../../operator/cluster/kube.ts";
import { FairleadError } from "../../operator/errors.ts";
import { launchBrowser, openPage } from "../support/browser.ts";
import { startCloud } from "./cloud.ts";

import.meta.jest.setTimeout(60_000);

/** A cluster as its API server lists it. */
const objects: Record<string, KubeObject[]> = {};
const cluster = {
	list: async ({ plural }: { plural: string }) => ({
		metadata: { resourceVersion: "1" },
		items: objects[plural] ?? [],
	}),
	get: async () => {
		throw new FairleadError("KubeNotFound", "there is no Lease");
	},
} as unknown as Pick<KubeClient, "list" | "get">;
const service = (name: string, more: object = {}) => ({
	metadata: {
		namespace: "shop",
		name,
		uid: name,
		creationTimestamp: "2026-01-01T00:00:00Z",
		...more,
	},
	spec: { type: "LoadBalancer", ipFamilies: ["IPv4"], ports: [{ port: 80 }] },
});

let browser: Browser;
let cloud: FakeCloud;
beforeAll(async () => {
	browser = await launchBrowser();
	objects["balancerclasses"] = [
		{
			metadata: { name: "fast" },
			spec: { provider: "Static", default: true },
		} as KubeObject,
	];
	objects["addresspools"] = [
		{
			metadata: { name: "edge" },
			spec: { addresses: ["192.0.2.0/32"] },
		} as KubeObject,
	];
	objects["services"] = [
		service("late"),
		{
			...service("holder", {
				annotations: {
					"fairlead.dev/assigned":
						'{"addresses":["192.0.2.0"],"class":"fast","pools":["edge"],"number":"1"}',
				},
			}),
			status: { loadBalancer: { ingress: [{ ip: "192.0.2.0" }] } },
		} as KubeObject,
	];
	cloud = await startCloud({
		explain: explainCluster(cluster, {
			clock: systemClock,
			namespace: "fairlead-system",
		}),
	});
});
afterAll(async () => {
	await browser?.close();
	await cloud?.close();
});

test("who waits is told why, and by keyboard at which step and what every pool and class says", async () => {
	const { page, complaints } = await openPage(browser);
	await page.goto(cloud.url);
	const row = page.getByRole("row", {
		name: /shop\/late PoolFull waits: pool edge is full \(1 of 1\)/,
	});
	await row.waitFor();
	const summary = row.getByText("Steps, pools and classes");
	expect(await row.getByText("no pool").count()).toBe(0);
	expect(await row.getByRole("heading", { name: "Pools" }).count()).toBe(0);

	await summary.focus();
	await page.keyboard.press("Enter");

	await row.getByRole("heading", { name: "Pools" }).waitFor();
	const lines = await row.getByRole("listitem").allInnerTexts();
	expect(lines).toEqual(
		expect.arrayContaining([
			"Ownership Done ClassFound: class fast is default",
			"Address Blocked PoolFull: pool edge: full (1 of 1)",
			"edge Refuses full (1 of 1)",
			"fast Serves is default, and the Service names no class (Static)",
			"Add addresses to the pool, or free some.",
		]),
	);
	expect(complaints).toEqual([]);

	await page.evaluate(axe.source);
	const { violations } = (await page.evaluate(
		"axe.run(document.querySelector('[aria-labelledby=pending-title]'))",
	)) as AxeResults;
	expect(violations).toEqual([]);
	await page.context().close();
});
