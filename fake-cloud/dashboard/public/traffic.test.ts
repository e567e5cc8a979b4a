import { perSecond, rate } from "./traffic.js";

const sample = (at: number, total: number) => ({
	at: at * 1000,
	total,
	bytes: total * 100,
});

test("what came between two samples counts in the later one's second", () => {
	const samples = [sample(10, 7), sample(12, 10), sample(13, 11)];
	expect(perSecond(samples, "total", 13_500, 5)).toEqual([0, 0, 0, 3, 1]);
});

test("what is older than the window is left out, and so is what was there before the first sample", () => {
	const samples = [sample(0, 1000), sample(1, 1005), sample(20, 1006)];
	expect(perSecond(samples, "total", 20_000, 3)).toEqual([0, 0, 1]);
});

test("a count that went down began anew", () => {
	const samples = [sample(1, 900), sample(2, 4)];
	expect(perSecond(samples, "total", 2000, 2)).toEqual([0, 4]);
});

test("a sample ahead of the page's clock counts as now", () => {
	const samples = [sample(1, 0), sample(9, 6)];
	expect(perSecond(samples, "total", 8200, 2)).toEqual([0, 6]);
});

test("the rate is the mean of five seconds", () => {
	const samples = [sample(0, 0), sample(3, 5), sample(4, 10)];
	expect(rate(samples, "total", 4000)).toBe(2);
	expect(rate(samples, "bytes", 4000)).toBe(200);
	expect(rate([], "total", 4000)).toBe(0);
});
