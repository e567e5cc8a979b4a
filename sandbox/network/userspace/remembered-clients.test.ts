import { RememberedClients } from "./remembered-clients.ts";

const to = { address: "10.244.1.2", port: 8080, local: true };

test("a client is remembered until its time is over", () => {
	const clients = new RememberedClients();
	clients.set("a", to, 10, 0);
	expect(clients.get("a", 9)).toBe(to);
	expect(clients.get("a", 10)).toBeUndefined();
	expect(clients.get("b", 0)).toBeUndefined();
	clients.delete("a");
	expect(clients.get("a", 0)).toBeUndefined();
});

test("clients that come once and never again do not pile up", () => {
	const clients = new RememberedClients();
	for (let now = 0; now < 100_000; now++)
		clients.set(`client ${now}`, to, now + 10, now);
	expect(clients.size).toBeLessThanOrEqual(1024);
	expect(clients.get("client 99999", 99_999)).toBe(to);
});

test("nobody whose time is not over is dropped, however many they are", () => {
	const clients = new RememberedClients();
	for (let each = 0; each < 10_000; each++)
		clients.set(`client ${each}`, to, 10, 0);
	for (let each = 0; each < 10_000; each++)
		expect(clients.get(`client ${each}`, 9)).toBe(to);
});
