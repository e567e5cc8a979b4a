import { chromium, type Browser, type Page } from "playwright-core";

/** Debian's Chromium, without looking for anything beyond this machine. Close it in afterAll. */
export const launchBrowser = (): Promise<Browser> =>
	chromium.launch({
		executablePath: "/usr/bin/chromium",
		args: [
			"--no-sandbox", // Root may not have one.
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync",
		],
	});

export interface Look {
	width?: number;
	colorScheme?: "light" | "dark";
}

/** A page in a profile of its own, and all it complained of: errors, refused content, what its console called an error. */
export async function openPage(
	browser: Browser,
	{ width = 1280, colorScheme = "light" }: Look = {},
): Promise<{ page: Page; complaints: string[] }> {
	const context = await browser.newContext({
		viewport: { width, height: 900 },
		colorScheme,
		reducedMotion: "reduce",
	});
	context.setDefaultTimeout(15_000);
	const page = await context.newPage();
	const complaints: string[] = [];
	page.on("pageerror", (error) => complaints.push(`thrown: ${error.message}`));
	page.on("console", (message) => {
		if (message.type() === "error" || message.type() === "warning")
			complaints.push(`${message.type()}: ${message.text()}`);
	});
	return { page, complaints };
}
