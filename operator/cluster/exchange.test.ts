import {
	ApiServerDouble,
	reply,
} from "../../test/support/api-server-double.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { Service } from "../api/core.ts";
import type { Connection } from "./connection.ts";
import { resources } from "./kube.ts";

const api = new ApiServerDouble();
afterEach(() => api.end());

const web: Service = {
	metadata: { namespace: "shop", name: "web" },
	spec: { type: "LoadBalancer" },
};
const ref = { namespace: "shop", name: "web" };

/** Credentials out of a list: the next one whenever the server refused the last. */
const rotating = (...tokens: string[]): Partial<Connection> => {
	let at = 0;
	return {
		credentials: (refused) => {
			if (refused && at < tokens.length - 1) at++;
			return Promise.resolve({ authorization: `Bearer ${tokens[at]}` });
		},
	};
};
const guarded = (good: string) =>
	api.start((request, response) =>
		request.headers.authorization === `Bearer ${good}`
			? reply(response, web)
			: reply(
					response,
					{
						kind: "Status",
						code: 401,
						reason: "Unauthorized",
						message: "Unauthorized",
					},
					401,
				),
	);

test("a refused token is replaced by what its source has by now, also for a write", async () => {
	const { port, seen } = await guarded("new");
	const client = api.client(port, rotating("old", "new"));
	expect(await client.create(resources.services, web)).toEqual(web);
	expect(seen.map((one) => one.headers.authorization)).toEqual([
		"Bearer old",
		"Bearer new",
	]);
	expect(seen[1]?.body).toEqual(seen[0]?.body);
});

test("it is replaced only once", async () => {
	const { port, seen } = await guarded("newest");
	await expect(
		api
			.client(port, rotating("old", "new", "newest"))
			.get(resources.services, ref),
	).rejects.toMatchObject({ code: "KubeUnauthorized" });
	expect(seen).toHaveLength(2);
});

test("the same token is not offered twice", async () => {
	const { port, seen } = await guarded("new");
	await expect(
		api.client(port, rotating("old")).get(resources.services, ref),
	).rejects.toMatchObject({
		code: "KubeUnauthorized",
		message: "GET /api/v1/namespaces/shop/services/web: Unauthorized",
	});
	expect(seen).toHaveLength(1);
});

test("a watch renews a refused token like any call", async () => {
	const { port, seen } = await api.start((request, response) =>
		request.headers.authorization === "Bearer new"
			? response.writeHead(200).end()
			: reply(response, "{}", 401),
	);
	await api
		.client(port, rotating("old", "new"))
		.watch(resources.services, {}, { signal: new AbortController().signal });
	expect(seen).toHaveLength(2);
});

test("credentials that do not come in time end the call", async () => {
	const clock = new FakeClock();
	const { port, seen } = await guarded("x");
	const call = api
		.client(port, { credentials: () => new Promise(() => {}) }, { clock })
		.get(resources.services, ref);
	const outcome = expect(call).rejects.toMatchObject({
		code: "KubeUnreachable",
	});
	await clock.advance(30_000);
	await outcome;
	expect(seen).toEqual([]);
});
