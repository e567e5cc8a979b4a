import nock from "nock";
import "../../test/support/nock.ts";
import { plainConnection } from "../../test/support/connection.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import type { Service } from "../api/core.ts";
import { systemClock } from "../clock.ts";
import { createKubeClient } from "./client.ts";
import { resources } from "./kube.ts";

const client = createKubeClient(
	plainConnection("https://kube.example.com:6443", {
		credentials: () => Promise.resolve({ authorization: "Bearer t" }),
	}),
	{ clock: systemClock, log: quietLog(), userAgent: "fairlead-test/0" },
);
afterAll(() => client.close());

test("nock answers the client's calls and sees their headers and bodies", async () => {
	const scope = nock("https://kube.example.com:6443", {
		reqheaders: {
			authorization: "Bearer t",
			"content-type": "application/merge-patch+json",
		},
	})
		.patch("/api/v1/namespaces/shop/services/web/status", {
			metadata: { annotations: { a: "b" } },
		})
		.reply(200, { metadata: { name: "web", namespace: "shop" } });
	const patched = await client.patch(
		resources.services,
		{ namespace: "shop", name: "web", subresource: "status" },
		{ type: "merge", body: { metadata: { annotations: { a: "b" } } } },
	);
	expect(patched.metadata.name).toBe("web");
	scope.done();
});

test("nock answers a watch", async () => {
	nock("https://kube.example.com:6443")
		.get("/api/v1/services")
		.query({ watch: "true" })
		.reply(
			200,
			`${JSON.stringify({ type: "ADDED", object: { metadata: { name: "web" } } })}\n`,
		);
	const stream = await client.watch<Service>(
		resources.services,
		{},
		{ signal: new AbortController().signal },
	);
	const events = [];
	for await (const batch of stream) events.push(...batch);
	expect(events).toEqual([
		{ type: "ADDED", object: { metadata: { name: "web" } } },
	]);
});

test("a connection nock breaks is KubeUnreachable", async () => {
	nock("https://kube.example.com:6443")
		.get("/api/v1/nodes/n")
		.replyWithError(
			Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }),
		);
	await expect(
		client.get(resources.nodes, { name: "n" }),
	).rejects.toMatchObject({ code: "KubeUnreachable" });
});
