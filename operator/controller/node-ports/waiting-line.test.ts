import { WaitingLine } from "./waiting-line.ts";

const line = (...keys: string[]) => {
	const made = new WaitingLine(
		({ pool, ports }, port) =>
			pool === "edge" || (ports?.includes(port) ?? false),
	);
	for (const key of keys) made.enter(key, { pool: "edge" });
	return made;
};
const free = () => true;

test("a port that is free again is offered to who has waited longest, and to nobody else", () => {
	expect(line("a", "b", "c").offer(30010)).toBe("a");
});

test("a port that is not taken goes on to the next, until nobody is left", () => {
	const waiting = line("a", "b");
	waiting.offer(30010);
	expect(waiting.looked("a", free)).toEqual(["b"]);
	expect(waiting.looked("b", free)).toEqual([]);
});

test("a port that is taken goes no further, and others that were offered with it do", () => {
	const waiting = line("a", "b");
	waiting.offer(30010);
	waiting.offer(30011);
	waiting.leave("a");
	expect(waiting.looked("a", (port) => port === 30011)).toEqual(["b"]);
});

test("who looks again in vain keeps its place; who comes back is last", () => {
	const waiting = line("a", "b");
	waiting.enter("a", { pool: "edge" });
	expect(waiting.offer(30010)).toBe("a");
	waiting.leave("a");
	waiting.enter("a", { pool: "edge" });
	expect(waiting.offer(30011)).toBe("b");
});

test("who waits for other ports is passed over", () => {
	const waiting = line();
	waiting.enter("a", { ports: [30080] });
	waiting.enter("b", { ports: [30081] });
	expect(waiting.offer(30081)).toBe("b");
	expect(waiting.offer(30082)).toBeUndefined();
	expect(waiting.forPools()).toEqual([]);
});
