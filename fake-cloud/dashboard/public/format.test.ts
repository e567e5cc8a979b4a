import { addressAndPort, ago, bytes, duration, some } from "./format.js";

test.each([
	[0, "0 B"],
	[1023, "1,023 B"],
	[1024, "1 KiB"],
	[1536, "1.5 KiB"],
	[5 * 1024 ** 3, "5 GiB"],
	[2 ** 60, "1,020 PiB"],
])("%d bytes are %s", (size, text) => {
	expect(bytes(size)).toBe(text);
});

test.each([
	[-5, "0 ms"],
	[999, "999 ms"],
	[1500, "1.5 s"],
	[59_999, "59 s"],
	[3_599_000, "59 min"],
	[47 * 3_600_000, "47 h"],
	[48 * 3_600_000, "2 d"],
])("%d ms last %s", (ms, text) => {
	expect(duration(ms)).toBe(text);
});

test("people's words", () => {
	expect(ago(500)).toBe("now");
	expect(ago(5000)).toBe("5.0 s ago");
	expect(some(1, "target")).toBe("1 target");
	expect(some(1200, "target")).toBe("1,200 targets");
	expect(addressAndPort("2001:db8::1", 80)).toBe("[2001:db8::1]:80");
});
