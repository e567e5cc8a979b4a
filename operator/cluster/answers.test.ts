import type { ErrorCode } from "../errors.ts";
import { errorOfAnswer, errorOfStatus, oneLine } from "./answers.ts";

const now = Date.UTC(2026, 0, 1);
const json = (status: number, body: object, more = {}) => ({
	status,
	contentType: "application/json",
	body: JSON.stringify({ kind: "Status", apiVersion: "v1", ...body }),
	...more,
});
const page = (
	status: number,
	body: string,
	contentType = "text/html; charset=utf-8",
) => ({ status, contentType, body });

const rows: [string, ReturnType<typeof page>, ErrorCode][] = [
	[
		"400 with a Status",
		json(400, { reason: "BadRequest", message: "no" }),
		"KubeInvalid",
	],
	[
		"401 with a Status",
		json(401, { reason: "Unauthorized" }),
		"KubeUnauthorized",
	],
	["403 with a Status", json(403, { reason: "Forbidden" }), "KubeForbidden"],
	["404 with a Status", json(404, { reason: "NotFound" }), "KubeNotFound"],
	[
		"404 of a group that is not served",
		page(404, "404 page not found\n", "text/plain"),
		"KubeNotFound",
	],
	[
		"404 of somebody's web server",
		page(404, "<h1>Not Found</h1>"),
		"KubeBadAnswer",
	],
	[
		"405 with a Status",
		json(405, { reason: "MethodNotAllowed" }),
		"KubeInvalid",
	],
	["409 with a Status", json(409, { reason: "Conflict" }), "KubeConflict"],
	["410 with a Status", json(410, { reason: "Expired" }), "KubeGone"],
	["410 of somebody's web server", page(410, "gone"), "KubeBadAnswer"],
	[
		"413 with a Status",
		json(413, { reason: "RequestEntityTooLarge" }),
		"KubeInvalid",
	],
	["422 with a Status", json(422, { reason: "Invalid" }), "KubeInvalid"],
	[
		"429 with a Status",
		json(429, { reason: "TooManyRequests" }),
		"KubeTooManyRequests",
	],
	[
		"429 of API flow control",
		page(429, "Too many requests, please try again later.", "text/plain"),
		"KubeTooManyRequests",
	],
	[
		"500 with a Status",
		json(500, { reason: "InternalError" }),
		"KubeServerError",
	],
	[
		"502 of a balancer in front",
		page(502, "<html>Bad Gateway</html>"),
		"KubeServerError",
	],
	["503 without a body", page(503, "", ""), "KubeServerError"],
	["504 with a Status", json(504, { reason: "Timeout" }), "KubeServerError"],
	[
		"400 of a TLS port spoken to in the clear",
		page(400, "Client sent an HTTP request to an HTTPS server.", "text/plain"),
		"KubeBadAnswer",
	],
	[
		"302 to a login page",
		{ ...page(302, ""), location: "https://login.example.com/" } as ReturnType<
			typeof page
		>,
		"KubeBadAnswer",
	],
];
test.each(rows.map(([name, answer, code]) => [name, code, answer] as const))(
	"%s is %s",
	(_, code, answer) => {
		expect(errorOfAnswer("GET /x", answer, now).code).toBe(code);
	},
);

test("the message is request and what the server said, on one line of sane length", () => {
	const error = errorOfAnswer(
		"GET /x",
		json(403, {
			message: `services is forbidden:\n\tUser "u" cannot list resource "services" ${"y".repeat(5000)}`,
		}),
		now,
	);
	expect(error.message).toMatch(
		/^GET \/x: services is forbidden: User "u" cannot list resource "services" y+…$/,
	);
	expect(error.message.length).toBeLessThan(700);
});

test("an HTML page is shown as its words", () => {
	const error = errorOfAnswer(
		"GET /x",
		page(
			502,
			"<html><head><title>Bad</title></head>\n<body><p>no upstream</p></body></html>",
		),
		now,
	);
	expect(error.message).toBe("GET /x: 502 Bad no upstream (text/html)");
});

test("where it redirects to is named", () => {
	const error = errorOfAnswer(
		"GET /x",
		{ ...page(302, "<a>here</a>"), location: "https://login.example.com/" },
		now,
	);
	expect(error.message).toBe(
		"GET /x: 302 redirects to https://login.example.com/",
	);
});

test("AlreadyExists and Conflict share a code and differ by reason", () => {
	const of = (reason: string) =>
		errorOfAnswer("POST /x", json(409, { reason }), now);
	expect([of("AlreadyExists").reason, of("Conflict").reason]).toEqual([
		"AlreadyExists",
		"Conflict",
	]);
});

test("causes that the message does not already hold are added", () => {
	const error = errorOfAnswer(
		"GET /x",
		json(504, {
			message: "Timeout",
			details: {
				causes: [
					{
						reason: "ResourceVersionTooLarge",
						message: "Too large resource version",
					},
					{ message: "Timeout" },
				],
			},
		}),
		now,
	);
	expect(error.message).toBe("GET /x: Timeout; Too large resource version");
});

const waits: [string, object, number | undefined][] = [
	["seconds", { retryAfter: "7" }, 7_000],
	["zero seconds", { retryAfter: "0" }, 0],
	["a date to come", { retryAfter: "Thu, 01 Jan 2026 00:00:30 GMT" }, 30_000],
	["a date gone by", { retryAfter: "Wed, 31 Dec 2025 00:00:00 GMT" }, 0],
	["nonsense", { retryAfter: "soon" }, undefined],
	["nothing", {}, undefined],
];
test.each(waits)("Retry-After with %s", (_, header, expected) => {
	for (const status of [429, 503])
		expect(
			errorOfAnswer("GET /x", { ...page(status, ""), ...header }, now)
				.retryAfterMs,
		).toBe(expected);
});

test("retryAfterSeconds of the Status counts where there is no header", () => {
	const body = { details: { retryAfterSeconds: 3 } };
	expect(errorOfAnswer("GET /x", json(504, body), now).retryAfterMs).toBe(
		3_000,
	);
	expect(
		errorOfAnswer("GET /x", json(504, body, { retryAfter: "9" }), now)
			.retryAfterMs,
	).toBe(9_000);
});

test("the Status of an in-stream ERROR goes by its own code", () => {
	const error = errorOfStatus("WATCH /x", {
		kind: "Status",
		code: 410,
		reason: "Expired",
		message: "too old resource version: 1 (2)",
	});
	expect(error).toMatchObject({
		code: "KubeGone",
		reason: "Expired",
		message: "WATCH /x: too old resource version: 1 (2)",
	});
});

test("control characters never reach a log line", () => {
	expect(oneLine("a\u001b[31mred\u0000\r\n b\u2028c")).toBe("a [31mred b c");
});
