import type {
	LiveAction,
	LiveBalancer,
	LiveServer,
} from "../../fake-cloud/api/live.ts";
import {
	type FakeCloud,
	type FakeCloudOptions,
	startFakeCloud,
} from "../../fake-cloud/server.ts";
import { systemClock } from "../../operator/clock.ts";
import { quietLog } from "./quiet-log.ts";

/** An answer as a test looks at it. */
export interface CloudAnswer {
	status: number;
	headers: Headers;
	/** Parsed JSON; tests know what they asked for. */
	// oxlint-disable-next-line typescript/no-explicit-any
	body: any;
}

export interface TestCloud extends FakeCloud {
	log: ReturnType<typeof quietLog>;
	/** Asks /v1 with the token `token`, or another. */
	ask(
		method: string,
		path: string,
		body?: unknown,
		token?: string | null,
	): Promise<CloudAnswer>;
	/** Asks /fairlead. */
	own(method: string, path: string, body?: unknown): Promise<CloudAnswer>;
	/** Asks for something that starts an action and waits for its end; gives the ended action. */
	act(method: string, path: string, body?: unknown): Promise<LiveAction>;
	/** Resolves once the balancer is so; looks whenever an event says it changed. */
	until(
		id: number,
		holds: (balancer: LiveBalancer | undefined) => boolean,
	): Promise<void>;
	untilServer(
		id: number,
		holds: (server: LiveServer | undefined) => boolean,
	): Promise<void>;
}

const started: FakeCloud[] = [];

/** Ends what `testCloud` started; for afterEach. */
export async function closeClouds(): Promise<void> {
	await Promise.all(started.splice(0).map((cloud) => cloud.close()));
}

/** A cloud in memory with the tokens `token` (project p), `other` (project q) and `reader` (p, read only), and fast actions. */
export async function testCloud(
	options: Partial<FakeCloudOptions> = {},
): Promise<TestCloud> {
	const log = quietLog();
	const cloud = await startFakeCloud({
		dataDir: ":memory:",
		tokens: [
			{ token: "token", project: "p" },
			{ token: "other", project: "q" },
			{ token: "reader", project: "p", readOnly: true },
		],
		clock: systemClock,
		random: Math.random,
		log,
		actionMs: 1,
		...options,
	});
	started.push(cloud);
	const request = async (
		method: string,
		path: string,
		body: unknown,
		token: string | null,
	): Promise<CloudAnswer> => {
		const response = await fetch(`${cloud.url}${path}`, {
			method,
			headers: {
				...(token !== null && { Authorization: `Bearer ${token}` }),
				...(body !== undefined && { "Content-Type": "application/json" }),
			},
			...(body !== undefined && {
				body: typeof body === "string" ? body : JSON.stringify(body),
			}),
		});
		const text = await response.text();
		const json = response.headers.get("content-type")?.includes("json");
		return {
			status: response.status,
			headers: response.headers,
			body: json && text ? JSON.parse(text) : text,
		};
	};
	/** Resolves with what `look` gives once it gives something; looks now and after every event. */
	const eventually = <T>(look: () => T | undefined): Promise<T> =>
		new Promise((resolve) => {
			const check = () => {
				const found = look();
				if (found === undefined) return;
				leave();
				resolve(found);
			};
			const leave = cloud.follow(check);
			check();
		});
	return {
		...cloud,
		log,
		ask: (method, path, body, token = "token") =>
			request(method, `/v1${path}`, body, token),
		own: (method, path, body) =>
			request(method, `/fairlead${path}`, body, null),
		async act(method, path, body) {
			const answer = await request(method, `/v1${path}`, body, "token");
			if (answer.body.action === undefined)
				throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
			const { id } = answer.body.action;
			return eventually(() => {
				const action = cloud.state().actions.find((each) => each.id === id);
				return action?.status === "running" ? undefined : action;
			});
		},
		async until(id, holds) {
			await eventually(() =>
				holds(cloud.state().balancers.find((each) => each.id === id))
					? true
					: undefined,
			);
		},
		async untilServer(id, holds) {
			await eventually(() =>
				holds(cloud.state().servers.find((each) => each.id === id))
					? true
					: undefined,
			);
		},
	};
}
