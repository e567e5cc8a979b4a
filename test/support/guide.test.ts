import { commandsOf, normalised } from "./guide.ts";

describe("a guide's commands", () => {
	it("are the lines after a dollar sign in console blocks, each with what follows it", () => {
		expect(
			commandsOf(
				"# Title\n```console\n$ one\nout\n$ two \\\n  more\n\n```\n```yaml\n$ no: command\n```\n```console\n$ three\n```\n",
			),
		).toEqual([
			{ command: "one", output: "out\n", line: 3 },
			{ command: "two \\\n  more", output: "\n", line: 5 },
			{ command: "three", output: "", line: 13 },
		]);
	});

	it("must come before output", () => {
		expect(() => commandsOf("```console\nout\n```\n")).toThrow(
			"line 2: output before any command",
		);
	});
});

describe("two outputs of the same command", () => {
	it("are the same whatever helm's libraries log of themselves, and whenever it ran", () => {
		expect(
			normalised(
				'I1123 23:24:41.416160   19328 reflector.go:664] "Warning: watch ended"\nNAME: x\nLAST DEPLOYED: Mon Nov 23 23:24:41 2026\n',
			),
		).toBe(normalised("NAME: x\nLAST DEPLOYED: Tue Dec  1 00:00:00 2026\n"));
	});

	it.each([
		[
			"differ in ages, addresses and ports",
			"hello   LoadBalancer   10.96.22.229   203.0.113.1   80:31350/TCP   8s",
			"hello LoadBalancer 10.96.4.9 203.0.113.1 80:30087/TCP 1m12s",
		],
		[
			"differ in the names of pods and nodes",
			"hello-7d9c8b6f5-x2v4q   1/1   Running   0   3s   10.244.1.2   node-1",
			"hello-7d9c8b6f5-bcdfg   1/1   Running   0   4s   10.244.3.9   node-3",
		],
	])("%s and are the same all the same", (_, one, other) => {
		expect(normalised(one)).toBe(normalised(other));
	});

	it.each([
		["an ingress address", "203.0.113.1", "203.0.113.2"],
		["the API server's own ClusterIP", "10.96.0.1", "10.96.0.10"],
		["a missing line", "one\ntwo", "one"],
	])("differ truly in %s", (_, one, other) => {
		expect(normalised(one)).not.toBe(normalised(other));
	});
});
