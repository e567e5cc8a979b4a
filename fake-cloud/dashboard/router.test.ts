import { createServer } from "node:http";
import express from "express";
import { Loopback } from "../../test/support/loopback.ts";
import { systemClock } from "../../operator/clock.ts";
import { dashboard } from "./router.ts";

const loopback = new Loopback();
let url: string;

beforeEach(async () => {
	const app = express();
	app.disable("etag").use(dashboard({ clock: systemClock }));
	url = `http://127.0.0.1:${await loopback.listen(createServer(app))}`;
});
afterEach(() => loopback.closeAll());

test.each([
	["/", "text/html; charset=utf-8"],
	["/assets/main.js", "text/javascript; charset=utf-8"],
	["/assets/views/page.js", "text/javascript; charset=utf-8"],
	["/assets/vendor/preact.js", "text/javascript; charset=utf-8"],
	["/assets/css/tokens.css", "text/css; charset=utf-8"],
	["/assets/icon.svg", "image/svg+xml"],
	["/dashboard/pending", "application/json; charset=utf-8"],
])("%s is %s, guarded like every answer", async (path, type) => {
	const { status, headers } = await fetch(url + path);
	expect(status).toBe(200);
	expect(headers.get("content-type")).toBe(type);
	expect(headers.get("content-security-policy")).toMatch(
		/^default-src 'none';.*frame-ancestors 'none'/,
	);
	expect(headers.get("x-content-type-options")).toBe("nosniff");
	expect(headers.get("referrer-policy")).toBe("no-referrer");
});

test("a browser that has a file is told that it is still the same", async () => {
	const first = await fetch(`${url}/assets/main.js`);
	const tag = first.headers.get("etag") ?? "";
	const again = await fetch(`${url}/assets/main.js`, {
		// Without it fetch asks for no cached answer; browsers send this one.
		headers: { "if-none-match": tag, "cache-control": "max-age=0" },
	});
	expect(again.status).toBe(304);
	expect(await again.text()).toBe("");
});

test.each([
	"/assets/",
	"/assets/nothing.js",
	"/assets/index.html",
	"/assets/state.d.ts",
	"/assets/tsconfig.json",
	"/assets/..%2frouter.ts",
	"/assets/%2e%2e/router.ts",
])("%s is nowhere", async (path) => {
	expect((await fetch(url + path)).status).toBe(404);
});
