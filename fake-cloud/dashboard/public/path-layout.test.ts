import fc from "fast-check";
import {
	balancer,
	health,
	listener,
	target,
} from "../../../test/support/live-samples.ts";
import { pathThrough } from "./path.js";
import { boxHeight, fit, layOut } from "./path-layout.js";

/** What is looked at of a box. */
interface Placed {
	id: string;
	x: number;
	y: number;
	width: number;
}

const path = (addresses: number, targets: number) =>
	pathThrough(
		balancer(1, {
			addresses: Array.from({ length: addresses }, (_, i) => `192.0.2.${i}`),
			targets: Array.from({ length: targets }, (_, i) =>
				target(i, [health(80, "healthy")]),
			),
		}),
		listener(80),
	);

const overlap = (a: Placed, b: Placed) =>
	a.x < b.x + b.width &&
	b.x < a.x + a.width &&
	a.y < b.y + boxHeight &&
	b.y < a.y + boxHeight;

test("at any width every box is inside the drawing and none covers another", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 240, max: 2000 }),
			fc.nat(3),
			fc.nat(30),
			(width, addresses, targets) => {
				const drawing = layOut(path(addresses, targets), width);
				const boxes: Placed[] = drawing.boxes;
				for (const [i, box] of boxes.entries()) {
					expect(box.x).toBeGreaterThanOrEqual(0);
					expect(box.y).toBeGreaterThanOrEqual(0);
					expect(box.x + box.width).toBeLessThanOrEqual(width + 0.01);
					expect(box.y + boxHeight).toBeLessThanOrEqual(drawing.height + 0.01);
					expect(boxes.slice(i + 1).filter((one) => overlap(box, one))).toEqual(
						[],
					);
				}
				expect(new Set(boxes.map((box) => box.id)).size).toBe(boxes.length);
			},
		),
	);
});

test("every target drawn has a line to it", () => {
	for (const width of [320, 900]) {
		const { boxes, edges } = layOut(path(2, 3), width);
		const lines = edges.map((edge: { id: string }) => edge.id);
		for (const { id } of boxes.filter((box: Placed) =>
			box.id.startsWith("target-"),
		))
			expect(lines).toContain(id);
	}
});

test("more targets than a person takes in are counted, not drawn", () => {
	const { boxes } = layOut(path(1, 11), 900);
	expect(boxes.at(-1)).toMatchObject({ kind: "more", title: "and 3 more" });
});

test("text that does not fit keeps both its ends", () => {
	expect(fit("short", 200)).toBe("short");
	expect(fit("ip-10-0-12-200.eu-central-1.internal", 100)).toBe("ip-10-…ernal");
});
