import fc from "fast-check";
import { type Candidate, order } from "./candidates.ts";

const target = (key: string, more: Partial<Candidate> = {}): Candidate => ({
	key,
	address: "192.0.2.1",
	status: "healthy",
	open: 0,
	...more,
});
const keys = (targets: Candidate[]) => targets.map(({ key }) => key).join("");

const three = [target("a"), target("b"), target("c")];

test.each([
	[0, "abc"],
	[1, "bca"],
	[2, "cab"],
	[3, "abc"],
])(
	"on turn %d, round robin begins at the next target: %s",
	(turn, expected) => {
		expect(keys(order(three, "round_robin", turn))).toBe(expected);
	},
);

test("least connections begins with the idlest, and takes turns among equals", () => {
	const targets = [target("a", { open: 2 }), target("b"), target("c")];
	expect(
		[0, 1, 2].map((turn) => keys(order(targets, "least_connections", turn))),
	).toEqual(["bca", "bca", "cba"]);
});

test("unhealthy and unreachable targets are left out; unchecked ones serve while none is healthy", () => {
	const targets = [
		target("a", { status: "unhealthy" }),
		target("b", { status: "unknown" }),
		target("c", { status: "unknown", address: null }),
	];
	expect(keys(order(targets, "round_robin", 0))).toBe("b");
	expect(keys(order([...targets, target("d")], "round_robin", 0))).toBe("d");
	expect(order(targets.slice(0, 1), "round_robin", 0)).toEqual([]);
});

test("a preferred target comes first only if it may be tried at all", () => {
	expect(keys(order(three, "round_robin", 0, "c"))).toBe("cab");
	expect(keys(order(three, "round_robin", 0, "z"))).toBe("abc");
	expect(
		keys(
			order(
				[target("a"), target("b", { status: "unhealthy" })],
				"round_robin",
				0,
				"b",
			),
		),
	).toBe("a");
});

test("as many turns as there are healthy targets give each of them one connection", () => {
	const targets = fc.array(
		fc.record({
			status: fc.constantFrom(
				"healthy" as const,
				"unhealthy" as const,
				"unknown" as const,
			),
		}),
		{ maxLength: 8 },
	);
	fc.assert(
		fc.property(targets, fc.nat(100), (statuses, start) => {
			const all = statuses.map(({ status }, i) =>
				target(String(i), { status }),
			);
			const healthy = all.filter(({ status }) => status === "healthy");
			const chosen = healthy.map(
				(_, i) => order(all, "round_robin", start + i)[0]?.key,
			);
			expect(new Set(chosen)).toEqual(new Set(healthy.map(({ key }) => key)));
		}),
	);
});
