import { settingsElements } from "./settings.ts";

/** `10.0.0.0-10.0.1.0` of the keys: where a range begins, and the first address behind it. */
function ranges(podCidrs: string[], masqueradeAll = false) {
	const { pods, unmasqueraded } = settingsElements("IPv4", {
		podCidrs,
		masqueradeAll,
	});
	const text = (list: typeof pods) =>
		list.map(
			({ key, intervalEnd }) =>
				`${intervalEnd ? "-" : ""}${[...key].join(".")}`,
		);
	return { pods: text(pods), unmasqueraded: text(unmasqueraded) };
}

test("pods keep their address, and nobody else does", () => {
	const range = ["10.244.0.0", "-10.245.0.0"];
	expect(ranges(["10.244.0.0/16", "2001:db8::/32"])).toEqual({
		pods: range,
		unmasqueraded: range,
	});
});

test("ranges that overlap or touch are one, for the kernel refuses overlaps", () => {
	expect(
		ranges(["10.244.0.0/17", "10.244.128.0/17", "10.244.3.0/24"]).pods,
	).toEqual(["10.244.0.0", "-10.245.0.0"]);
});

test("where nobody said which sources are pods of this family, nobody is a pod and everybody keeps his address", () => {
	expect(ranges(["2001:db8::/32"])).toEqual({
		pods: [],
		unmasqueraded: ["0.0.0.0"],
	});
});

test("masqueradeAll leaves nobody his address", () => {
	expect(ranges(["10.244.0.0/16"], true).unmasqueraded).toEqual([]);
	expect(ranges([], true).unmasqueraded).toEqual([]);
});

test("a range up to the last address has no end", () => {
	expect(ranges(["224.0.0.0/3"]).pods).toEqual(["224.0.0.0"]);
});
