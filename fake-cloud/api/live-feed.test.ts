import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { minimal } from "../../test/support/cloud-samples.ts";
import {
	closeClouds,
	type TestCloud,
	testCloud,
} from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

/** Reads server-sent events one by one. */
class Stream {
	#response: IncomingMessage | undefined;
	#text = "";
	#events: { id: string; event: string; data: Record<string, unknown> }[] = [];
	#wake = () => {};

	async open(cloud: TestCloud, lastEventId?: string): Promise<this> {
		const request = get(`${cloud.url}/fairlead/events`, {
			headers:
				lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId },
		});
		[this.#response] = (await once(request, "response")) as [IncomingMessage];
		expect(this.#response.headers["content-type"]).toBe("text/event-stream");
		this.#response.setEncoding("utf8").on("error", () => {});
		this.#response.on("data", (chunk: string) => {
			this.#text += chunk;
			const blocks = this.#text.split("\n\n");
			this.#text = blocks.pop() as string;
			for (const block of blocks) {
				if (block.startsWith(":")) continue;
				const field = (name: string) =>
					new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
				this.#events.push({
					id: field("id"),
					event: field("event"),
					data: JSON.parse(field("data")),
				});
			}
			this.#wake();
		});
		return this;
	}

	async next(event: string) {
		for (;;) {
			const at = this.#events.findIndex((each) => each.event === event);
			if (at >= 0)
				return this.#events.splice(0, at + 1)[at] as {
					id: string;
					event: string;
					data: Record<string, unknown>;
				};
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}

	close(): void {
		this.#response?.destroy();
	}
}

describe("the event stream", () => {
	test("tells of balancers, actions, servers and faults as they change", async () => {
		const cloud = await testCloud();
		const stream = await new Stream().open(cloud);
		const { body } = await cloud.ask("POST", "/load_balancers", minimal);
		const { id } = body.load_balancer;
		expect((await stream.next("action")).data).toMatchObject({
			command: "create_load_balancer",
			status: "running",
		});
		expect((await stream.next("balancer")).data).toMatchObject({
			id,
			name: "lb",
			lockedBy: body.action.id,
		});
		let action: Record<string, unknown>;
		// An action that takes its time tells how far it got.
		do action = (await stream.next("action")).data;
		while (action["status"] === "running");
		expect(action).toMatchObject({ status: "success" });
		expect((await stream.next("balancer")).data).toMatchObject({
			id,
			lockedBy: null,
		});
		await cloud.own("PUT", "/faults", {
			faults: [{ id: "f", effect: { kind: "rate-limit" } }],
		});
		expect((await stream.next("faults")).data).toMatchObject([
			{ id: "f", hits: 0 },
		]);
		await cloud.own("DELETE", "/faults");
		await cloud.act("DELETE", `/load_balancers/${id}`);
		expect((await stream.next("balancer-removed")).data).toEqual({ id });
		stream.close();
	});

	test("goes on where it was cut off", async () => {
		const cloud = await testCloud();
		const first = await new Stream().open(cloud);
		await cloud.ask("POST", "/load_balancers", minimal);
		const { id: lastId } = await first.next("balancer");
		first.close();
		await cloud.ask("POST", "/load_balancers", { ...minimal, name: "b" });
		const second = await new Stream().open(cloud, lastId);
		let seen: unknown;
		while (seen !== "b") seen = (await second.next("balancer")).data["name"];
		second.close();
	});

	test("starts anew with a reset after a restart", async () => {
		const cloud = await testCloud();
		const stream = await new Stream().open(cloud, "before-7");
		const { data } = await stream.next("reset");
		expect(data["lastEventId"]).toBe(cloud.state().lastEventId);
		stream.close();
	});

	test("and the state together miss nothing", async () => {
		const cloud = await testCloud();
		const { body } = await cloud.own("GET", "/state");
		await cloud.ask("POST", "/load_balancers", minimal);
		const stream = await new Stream().open(cloud, body.lastEventId);
		// Nobody followed: what happened since the state was read is no longer known.
		const { data } = await stream.next("reset");
		expect((await cloud.own("GET", "/state")).body.balancers).toHaveLength(1);
		expect(data["reason"]).toBe("the events since are no longer kept");
		stream.close();
	});

	test("ends when the cloud is closed", async () => {
		const cloud = await testCloud();
		const response = await fetch(`${cloud.url}/fairlead/events`);
		const ended = response.text();
		await cloud.close();
		expect(await ended).toContain(": follow");
	});
});
