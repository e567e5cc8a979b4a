import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
	balancer,
	closeEngines,
	closed,
	dial,
	engine,
	hear,
	numbered,
	service,
	target,
} from "../../../test/support/engine.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import type { UserspaceEngine } from "./engine.ts";

afterEach(closeEngines);

describe("a change of configuration", () => {
	const talk = async (cloud: UserspaceEngine, port = 80) => {
		const client = dial(cloud, port);
		await once(client, "data");
		return client;
	};
	const echo = (socket: Socket) => {
		socket.write("hi");
		socket.pipe(socket);
	};
	const echoed = async (client: Duplex) => {
		client.write("x");
		return String((await once(client, "data"))[0]);
	};

	test("leaves connections of other listeners and targets alone", async () => {
		const { port } = await target("127.0.0.1", 0, echo);
		await target("127.0.0.2", port, echo);
		const cloud = engine();
		cloud.set(
			balancer(
				[service(port), service(port, { listen_port: 81 })],
				["127.0.0.1", "127.0.0.2"],
			),
		);
		const kept = await talk(cloud);
		cloud.set(
			balancer(
				[
					service(port, { proxyprotocol: true }),
					service(port, { listen_port: 82 }),
				],
				["127.0.0.1"],
			),
		);
		expect(await echoed(kept)).toBe("x");
		kept.destroy();
	});

	test("lets connections of a target that was taken away end in their time, up to the limit", async () => {
		const { port } = await target("127.0.0.1", 0, echo);
		await target("127.0.0.2", port, echo);
		const clock = new FakeClock();
		const cloud = engine({ clock, drainMs: 5000 });
		cloud.set(balancer([service(port)], ["127.0.0.1", "127.0.0.2"]));
		await clock.advance(0);
		const [first, second] = [await talk(cloud), await talk(cloud)];
		cloud.set(balancer([service(port)], ["127.0.0.2"]));
		const other = await talk(cloud);
		await clock.advance(4999);
		expect(await echoed(first)).toBe("x");
		await clock.advance(1);
		await closed(first);
		expect([await echoed(second), await echoed(other)]).toEqual(["x", "x"]);
		for (const client of [second, other]) client.destroy();
	});

	test("closes a listener to new connections at once, and to the others later", async () => {
		const { port } = await target("127.0.0.1", 0, echo);
		const clock = new FakeClock();
		const cloud = engine({ clock, drainMs: 5000 });
		cloud.set(balancer([service(port)], ["127.0.0.1"]));
		const client = await talk(cloud);
		cloud.set(balancer([], ["127.0.0.1"]));
		expect(() => cloud.dial("203.0.113.1", 80)).toThrow(
			"no tcp listener on port 80",
		);
		expect(await echoed(client)).toBe("x");
		await clock.advance(5000);
		await closed(client);
	});

	test("that removes the balancer ends everything, and its address is nobody's", async () => {
		const { port } = await target("127.0.0.1", 0, echo);
		const cloud = engine();
		cloud.set(balancer([service(port)], ["127.0.0.1"]));
		const client = await talk(cloud);
		cloud.remove(1);
		await closed(client);
		expect(() => cloud.dial("203.0.113.1", 80)).toThrow(
			"no balancer has the address",
		);
		expect(cloud.report(1)).toBeUndefined();
	});
});

describe("an engine that listens", () => {
	test("opens the loopback addresses among the balancers', and says when it cannot", async () => {
		const { port } = await numbered(1);
		const blocker = await target("127.64.0.1", 0, () => {});
		const clock = new FakeClock();
		const log = quietLog();
		let told = () => {};
		const cloud = engine({ clock, log, listen: true, changed: () => told() });
		const free = await target("127.64.0.2", 0, () => {});
		free.server.close();
		const ports = [blocker.port, free.port];
		const failed = new Promise<void>((resolve) => {
			told = () => {
				if (cloud.report(1)?.listeners.some(({ failure }) => failure !== null))
					resolve();
			};
		});
		cloud.set(
			balancer(
				ports.map((listen_port) => service(port, { listen_port })),
				["127.0.0.1"],
				{ addresses: ["127.64.0.1", "203.0.113.1", "2001:db8::1"] },
			),
		);
		await failed;
		const failures = new Map(
			cloud
				.report(1)
				?.listeners.map((listener) => [listener.port, listener.failure]),
		);
		expect(failures.get(blocker.port)).toBe(
			`127.64.0.1:${blocker.port} is in use by another process`,
		);
		expect(failures.get(free.port)).toBeNull();
		expect(log.lines.at(-1)?.message).toContain(
			`127.64.0.1:${blocker.port} is in use`,
		);
		expect(await hear(connect(free.port, "127.64.0.1"))).toBe("1");

		const healed = new Promise<void>((resolve) => {
			told = () => {
				if (cloud.report(1)?.listeners.every(({ failure }) => failure === null))
					resolve();
			};
		});
		blocker.server.close();
		await once(blocker.server, "close");
		await clock.advance(5000);
		await healed;
		expect(await hear(connect(blocker.port, "127.64.0.1"))).toBe("1");
		cloud.remove(1);
		const late = connect(free.port, "127.64.0.1");
		expect(((await once(late, "error"))[0] as { code: string }).code).toBe(
			"ECONNREFUSED",
		);
	});
});
