import axe, { type AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import type { FakeCloud } from "../../fake-cloud/server.ts";
import { type Look, launchBrowser, openPage } from "../support/browser.ts";
import { NodeProcess } from "../support/node-process.ts";
import { makeBalancer, makeServer, startCloud } from "./cloud.ts";

import.meta.jest.setTimeout(60_000);

let browser: Browser;
let empty: FakeCloud;
/** With balancers, a healthy and an unhealthy target, ended actions and faults. */
let busy: FakeCloud;
const node = new NodeProcess("node-1", "127.0.0.23");

beforeAll(async () => {
	[browser, empty, busy] = await Promise.all([
		launchBrowser(),
		startCloud(),
		startCloud(),
	]);
	await node.open(30080);
	const servers = [
		await makeServer(busy, "node-1", node.address),
		await makeServer(busy, "node-2", "127.0.0.24"),
	];
	const ports: [number, number][] = [
		[80, 30080],
		[443, 30443],
	];
	await makeBalancer(busy, "web", { ports, servers });
	await makeBalancer(busy, "api", { ports: [[80, 30080]], servers });
	await makeBalancer(busy, "bare");
	await fetch(`${busy.url}/fairlead/faults`, {
		method: "PUT",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({
			faults: [
				{
					match: { method: "POST", path: "/nowhere" },
					effect: { kind: "error", status: 503 },
				},
			],
		}),
	});
});
afterAll(async () => {
	await browser?.close();
	await Promise.all([empty?.close(), busy?.close(), node.close()]);
});

async function withPage(
	url: string,
	look: Look,
	run: (page: Page) => Promise<void>,
) {
	const { page } = await openPage(browser, look);
	try {
		await page.goto(url);
		await page.locator("[data-phase=live]").waitFor();
		await run(page);
	} finally {
		await page.context().close();
	}
}

/** Everything there is to see is there. */
async function settled(page: Page) {
	const cell = (target: string, port: number) =>
		page.getByRole("row", { name: target }).locator(`[data-port="${port}"]`);
	await page.getByRole("link", { name: "shop/web" }).click();
	await cell("node-1", 80).getByText("healthy", { exact: true }).waitFor();
	await cell("node-2", 80).getByText("unhealthy", { exact: true }).waitFor();
	await page
		.locator("figure svg")
		.getByText("▲ unhealthy", { exact: true })
		.waitFor();
}

const rules = {
	runOnly: [
		"wcag2a",
		"wcag2aa",
		"wcag21a",
		"wcag21aa",
		"wcag22aa",
		"best-practice",
	],
};

const violations = async (page: Page): Promise<string[]> => {
	await page.evaluate(axe.source);
	const found = (await page.evaluate(
		`axe.run(document, ${JSON.stringify(rules)})`,
	)) as AxeResults;
	expect(found.passes.length).toBeGreaterThan(20);
	return found.violations.flatMap(({ id, nodes }) =>
		nodes.map((one) => `${id}: ${one.html} ${one.failureSummary}`),
	);
};

const looks: [string, Look][] = [
	["in light", { colorScheme: "light" }],
	["in dark", { colorScheme: "dark" }],
	["on a narrow screen in light", { width: 360, colorScheme: "light" }],
	["on a narrow screen in dark", { width: 360, colorScheme: "dark" }],
];

test.each(looks)("a busy cloud breaks no rule of accessibility %s", (_, look) =>
	withPage(busy.url, look, async (page) => {
		await settled(page);
		await page.getByText("Which requests, how often").click();
		expect(await violations(page)).toEqual([]);
	}),
);

test.each(looks)(
	"an empty cloud breaks no rule of accessibility %s",
	(_, look) =>
		withPage(empty.url, look, async (page) => {
			await page.getByRole("heading", { name: "No balancers yet" }).waitFor();
			expect(await violations(page)).toEqual([]);
		}),
);

test("a narrow screen shows everything without scrolling the page sideways", () =>
	withPage(busy.url, { width: 360 }, async (page) => {
		await settled(page);
		expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(
			360,
		);
		const drawing = await page.locator("figure svg").boundingBox();
		expect((drawing?.x ?? 0) + (drawing?.width ?? 0)).toBeLessThanOrEqual(360);
	}));

/** What has the focus, as a person knows it, and whether they see that it has. A radio is drawn by the label beside it. */
const focused = (page: Page) =>
	page.evaluate(`(() => {
		const element = document.activeElement;
		const label =
			element.getAttribute("aria-label") ??
			element.closest("label")?.querySelector("span")?.textContent ??
			element.textContent;
		return {
			name: element.tagName.toLowerCase() + " " + label.trim(),
			visible: [element, element.nextElementSibling].some((one) => {
				if (one === null) return false;
				const { outlineStyle, outlineWidth } = getComputedStyle(one);
				return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
			}),
		};
	})()`) as Promise<{ name: string; visible: boolean }>;

/** Presses Tab until `name` has the focus; every stop on the way must be seen. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
	const passed: string[] = [];
	for (let stops = 0; stops < 60; stops++) {
		await page.keyboard.press("Tab");
		const stop = await focused(page);
		expect(stop).toEqual({ ...stop, visible: true });
		if (name.test(stop.name)) return;
		passed.push(stop.name);
	}
	throw new Error(`Tab never came to ${name}, but to: ${passed.join(" | ")}`);
}

test("with the keyboard alone a person chooses a balancer, looks at another listener's path, adds a fault and removes it", () =>
	withPage(busy.url, {}, async (page) => {
		await page.keyboard.press("Tab");
		expect((await focused(page)).name).toBe("a Skip to the balancers");
		await page.keyboard.press("Enter");
		await tabTo(page, /^a shop\/web$/);
		await page.keyboard.press("Enter");
		const title = page.getByRole("heading", { name: "shop/web" });
		await title.and(page.locator(":focus")).waitFor();

		await tabTo(page, /^input tcp 80$/);
		await page.keyboard.press("ArrowRight");
		await page
			.locator("figure svg")
			.getByText("tcp 443 → 30443", { exact: true })
			.waitFor();

		await tabTo(page, /^select What goes wrong$/);
		// As many letters as tell it from the others: no key of a closed list moves the page.
		await page.keyboard.type("rate");
		await tabTo(page, /^button Add fault$/);
		await page.keyboard.press("Enter");
		await page.getByText("Answer 429, rate limit exceeded").waitFor();

		await page.keyboard.press("Shift+Tab");
		while (!/^button Remove: Answer 429/.test((await focused(page)).name))
			await page.keyboard.press("Shift+Tab");
		await page.keyboard.press("Enter");
		await page
			.getByText("Answer 429, rate limit exceeded")
			.waitFor({ state: "detached" });
		// The button is gone; the focus is where its list is, not lost.
		expect((await focused(page)).name).toBe("h2 Faults");
	}));
