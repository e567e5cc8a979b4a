import { draft } from "./fault-draft.js";

const form = (values: Record<string, string>) => ({
	get: (name: string) => values[name] ?? null,
});

test.each([
	[{ kind: "latency", ms: "800" }, { effect: { kind: "latency", ms: 800 } }],
	[
		{ kind: "latency", ms: "0", jitterMs: "5" },
		{ effect: { kind: "latency", ms: 0, jitterMs: 5 } },
	],
	[
		{ kind: "error", status: "503", code: " busy ", retryAfterSeconds: "2" },
		{
			effect: {
				kind: "error",
				status: 503,
				code: "busy",
				retryAfterSeconds: 2,
			},
		},
	],
	[
		{
			kind: "drop-response",
			method: "POST",
			path: "/load_balancers$",
			count: "3",
			after: "1",
			probability: "50",
		},
		{
			match: { method: "POST", path: "/load_balancers$" },
			count: 3,
			after: 1,
			probability: 0.5,
			effect: { kind: "drop-response" },
		},
	],
	[
		{ kind: "rate-limit", probability: "100" },
		{ effect: { kind: "rate-limit" } },
	],
	[
		{ kind: "quota", resource: "server", limit: "0" },
		{ effect: { kind: "quota", resource: "server", limit: 0 } },
	],
	[{ kind: "garbage", body: "" }, { effect: { kind: "garbage" } }],
	[
		{ kind: "action-failed", message: "no room" },
		{ effect: { kind: "action-failed", message: "no room" } },
	],
	[
		{ kind: "action-stuck", project: "default" },
		{ match: { project: "default" }, effect: { kind: "action-stuck" } },
	],
])("the form %j asks for that fault and no more", (values, fault) => {
	expect(draft(form(values as Record<string, string>))).toEqual({
		ok: true,
		fault,
	});
});

test.each([
	[{ kind: "latency", ms: "soon" }, "ms", '"soon"'],
	[{ kind: "latency" }, "ms", "from 0 to 600000"],
	[{ kind: "error", status: "200" }, "status", "from 400 to 599"],
	[{ kind: "rate-limit", path: "(" }, "path", "regular expression"],
	[{ kind: "rate-limit", count: "0" }, "count", '"0"'],
	[{ kind: "rate-limit", probability: "1.5" }, "probability", '"1.5"'],
	[{}, "kind", "Choose"],
])("the form %j is refused at %s", (values, field, words) => {
	const drafted = draft(form(values as Record<string, string>));
	expect(drafted).toMatchObject({ ok: false, field });
	expect(JSON.stringify(drafted)).toContain(JSON.stringify(words).slice(1, -1));
});
