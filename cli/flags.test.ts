import { controllerFlags, fakeCloudFlags, sandboxFlags } from "./config.ts";
import { describeFlags, type Flags, parseFlags } from "./flags.ts";

describe("the command line", () => {
	it("gives every flag its default", () => {
		expect(parseFlags(controllerFlags, [])).toMatchObject({
			namespace: "fairlead-system",
			"leader-elect": true,
			"metrics-port": 9090,
		});
	});

	it("turns a boolean off by --no-", () => {
		expect(
			parseFlags(controllerFlags, ["--no-leader-elect"])["leader-elect"],
		).toBe(false);
	});

	it("reads an IPv6 address in brackets", () => {
		expect(
			parseFlags(fakeCloudFlags, ["--listen", "[::1]:8080"]).listen,
		).toEqual({ host: "::1", port: 8080 });
	});

	it.each<[string, Flags, string[], string]>([
		[
			"a port out of range",
			controllerFlags,
			["--metrics-port", "70000"],
			'--metrics-port "70000": must be a port, 0 to 65535',
		],
		[
			"a port that is no number",
			sandboxFlags,
			["--port", "http"],
			'--port "http": must be a port, 1 to 65535',
		],
		[
			"an address without port",
			fakeCloudFlags,
			["--listen", "localhost"],
			'--listen "localhost": must be HOST:PORT, for instance 127.0.0.1:8080',
		],
		[
			"a namespace no API server would take",
			controllerFlags,
			["--namespace", "Has Spaces"],
			'--namespace "Has Spaces": must be a namespace: at most 63 of a-z, 0-9 and -',
		],
		[
			"a flag that does not exist",
			sandboxFlags,
			["--bogus"],
			"Unknown option '--bogus'",
		],
		[
			"too many nodes",
			sandboxFlags,
			["--nodes", "51"],
			'--nodes "51": must be a whole number, 0 to 50',
		],
	])("refuses %s in one line", (_what, flags, args, message) => {
		expect(() => parseFlags(flags, args)).toThrow(
			expect.objectContaining({ code: "FlagInvalid", message }) as Error,
		);
	});

	it("describes every flag, defaults included, in aligned lines", () => {
		const lines = describeFlags(fakeCloudFlags).split("\n");
		expect(lines).toHaveLength(Object.keys(fakeCloudFlags).length);
		expect(lines[0]).toMatch(
			/--listen HOST:PORT +Where .*\(default 127\.0\.0\.1:8080\)/,
		);
	});
});
