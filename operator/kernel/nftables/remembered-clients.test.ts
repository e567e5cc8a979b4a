import type { Frontend } from "../../model/rules/program.ts";
import type { Reading } from "../netlink.ts";
import { be64, bytes, nested } from "../netlink-message.ts";
import {
	endpointData,
	endpointNumber,
	numberWord,
	serviceKey,
} from "./keys.ts";
import { lastingClients } from "./remembered-clients.ts";

const table = { family: "IPv4", name: "fairlead" } as const;

const endpoint = (last: number) => ({
	address: `10.244.1.${last}`,
	port: 8080,
	local: true,
});

const sticky: Frontend = {
	kind: "LoadBalancer",
	family: "IPv4",
	address: "203.0.113.10",
	protocol: "TCP",
	port: 80,
	service: "default/web",
	portName: "",
	endpoints: [endpoint(1)],
	whenEmpty: "reject",
	masquerade: "always",
	affinitySeconds: 60,
};

/** What the kernel says of clients in one message. */
function listed(from: number, count: number, at: number): Buffer {
	const elements = Array.from({ length: count }, (_, index) => {
		const client = Buffer.alloc(4);
		client.writeUInt32BE(from + index);
		const number = endpointNumber(endpointData(endpoint(at)));
		return nested(1, [
			nested(1, [bytes(1, Buffer.concat([client, serviceKey(sticky)]))]),
			nested(2, [bytes(1, numberWord(number))]),
			be64(4, 60_000n),
			be64(5, 1_234n),
		]);
	});
	return Buffer.concat([Buffer.alloc(4), nested(3, elements)]);
}

/** A map with as many clients as anybody wants to read, and how many were read. */
class EndlessMap {
	read = 0;
	readonly #body: Buffer;

	constructor(at: number) {
		this.#body = listed(0, 512, at);
	}

	dump(_: unknown, __: unknown, start: () => (body: Buffer) => Reading): void {
		const take = start();
		do this.read += 512;
		while (take(this.#body) === "go on");
	}
}

const bytesOf = (steps: ReturnType<typeof lastingClients>) =>
	steps.reduce((sum, { message }) => sum + message.body.length, 0);

test("however many clients are remembered, no more than 65,536 are read and taken over", () => {
	const map = new EndlessMap(1);
	const steps = lastingClients(map, table, [sticky]);
	expect(map.read).toBe(65_536);
	expect(bytesOf(steps)).toBeGreaterThan(65_536 * 16);
	expect(bytesOf(steps)).toBeLessThan(65_536 * 64);
});

test("of clients whose endpoint is gone nothing is kept", () => {
	const map = new EndlessMap(2);
	expect(lastingClients(map, table, [sticky])).toEqual([]);
	expect(map.read).toBe(65_536);
});

test("where no frontend remembers, nobody is asked", () => {
	const map = new EndlessMap(1);
	const { affinitySeconds, ...plain } = sticky;
	expect(affinitySeconds).toBe(60);
	expect(lastingClients(map, table, [plain])).toEqual([]);
	expect(map.read).toBe(0);
});

test("who is taken over keeps the time he has left", () => {
	const steps = lastingClients(
		{
			dump(_, __, start) {
				start()(listed(1, 1, 1));
			},
		},
		table,
		[sticky],
	);
	const [body] = steps.map(({ message }) => Buffer.from(message.body));
	expect(body?.includes(be64(4, 1_234n))).toBe(true);
});
