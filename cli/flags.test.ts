import {
	explainArgument,
	explainFlags,
	migrateFlags,
	nodePortsFlags,
	planFlags,
} from "./asking-config.ts";
import { serviceKey } from "./commands/explain.ts";
import {
	controllerFlags,
	dnsFlags,
	fakeCloudFlags,
	sandboxFlags,
} from "./config.ts";
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

	it("reads addresses with commas between, with the port of their kind where none is given", () => {
		expect(
			parseFlags(dnsFlags, ["--upstream", "192.0.2.1, 2001:db8::1,[::1]:5353"])
				.upstream,
		).toEqual([
			{ host: "192.0.2.1", port: 53 },
			{ host: "2001:db8::1", port: 53 },
			{ host: "::1", port: 5353 },
		]);
		expect(describeFlags(dnsFlags)).toContain("(default 127.0.0.1:53)");
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
		[
			"a name where an address must be",
			dnsFlags,
			["--listen", "127.0.0.1:53,localhost:53"],
			'--listen "127.0.0.1:53,localhost:53": must be IP:PORT, several with commas between, for instance 127.0.0.1:53,[::1]:53',
		],
		[
			"a resolver that is no address",
			dnsFlags,
			["--upstream", "1.2.3"],
			'--upstream "1.2.3": must be IP or IP:PORT, several with commas between, for instance 192.0.2.53,[2001:db8::1]:53',
		],
		[
			"a zone that is no name",
			dnsFlags,
			["--zone", "cluster..local"],
			'--zone "cluster..local": must be a zone: labels of a-z, 0-9 and - with dots between, as cluster.local',
		],
		[
			"a name server's address that is none",
			dnsFlags,
			["--address", "10.96.0.10,dns"],
			'--address "10.96.0.10,dns": must be an IP address, several with commas between, for instance 10.96.0.10',
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

	it("describes what --no-NAME does, and no default that is empty", () => {
		const text = describeFlags({ ...migrateFlags, ...planFlags });
		expect(text).toMatch(/--no-default +Make no class the default/);
		expect(describeFlags(controllerFlags)).toMatch(
			/--no-leader-elect +Act without/,
		);
		expect(text).not.toContain("(default )");
	});

	it.each(["5", "0-70000", "40000-30000", "30000-30000"])(
		"refuses %s as the range of NodePorts",
		(range) => {
			expect(() =>
				parseFlags(nodePortsFlags, ["--node-port-range", range]),
			).toThrow(
				`--node-port-range "${range}": must be a range of two or more ports within 1 to 65535`,
			);
		},
	);

	it.each<[string[], string | undefined]>([
		[["shop/web"], "shop/web"],
		[["-n", "shop", "web"], "shop/web"],
		[["-n", "shop", "shop/web"], "shop/web"],
		[[], undefined],
	])("takes the Service to explain from %j", (args, key) => {
		expect(
			serviceKey(parseFlags(explainFlags, args, explainArgument) as never),
		).toBe(key);
	});

	it.each<[string[], RegExp]>([
		[["web"], /NAME with -n NAMESPACE/],
		[["-n", "shop"], /name of a Service too/],
		[["-n", "shop", "other/web"], /two namespaces/],
	])("refuses %j, which names no Service to explain", (args, message) => {
		const asked = parseFlags(explainFlags, args, explainArgument) as never;
		expect(() => serviceKey(asked)).toThrow(message);
	});
});
