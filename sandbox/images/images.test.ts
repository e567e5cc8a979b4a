import { programOf } from "./images.ts";
import { publicationOf } from "./publication.ts";

const node = { binary: "/opt/node", name: "node-1" };

it.each([
	["fairlead/hello", []],
	["fairlead/hello:latest", []],
	["fairlead/hello:1.0@sha256:abc", []],
	["registry.k8s.io/e2e-test-images/agnhost:2.53", ["netexec"]],
	["localhost:5000/e2e-test-images/agnhost", ["serve-hostname"]],
])("image %s is a program of the sandbox", (image, args) => {
	expect(programOf(image, [], args, node)).toMatchObject({
		command: [
			"/opt/node",
			expect.stringMatching(/sandbox\/images\/hello\.cjs$/) as string,
		],
		env: { FAIRLEAD_NODE: "node-1" },
	});
});

it.each([
	["busybox", ["sh", "-c"], ["echo x"]],
	["fairlead/hello", ["env"], []],
	["", ["true"], []],
])(
	"a container of image %j with a command runs that command",
	(image, command, args) => {
		expect(programOf(image, command, args, node)).toMatchObject({
			command: [...command, ...args],
			env: {},
		});
	},
);

it.each<[string[], Record<string, string>]>([
	[["netexec"], { HELLO_AS: "netexec", PORT: "8080", UDP_PORT: "8081" }],
	[
		["netexec", "--http-port=80", "--udp-port", "53"],
		{ PORT: "80", UDP_PORT: "53" },
	],
	[
		["serve-hostname", "-port=9000"],
		{ HELLO_AS: "serve-hostname", PORT: "9000" },
	],
])("agnhost %j listens where it is told to", (args, env) => {
	expect(
		programOf("registry.k8s.io/e2e-test-images/agnhost", [], args, node),
	).toMatchObject({ env });
});

it.each([
	["nginx", [], /has no program for "nginx": give the container a command/],
	["evil/fairlead/hello", [], /has no program for "evil\/fairlead\/hello"/],
	[
		"registry.k8s.io/e2e-test-images/agnhost",
		["dns-suffix"],
		/the sandbox has no "dns-suffix" of image/,
	],
	[
		"registry.k8s.io/e2e-test-images/agnhost",
		[],
		/the sandbox has no "default command" of image/,
	],
])(
	"image %j has no program, and it is said what to do",
	(image, args, problem) => {
		expect(programOf(image, [], args, node)).toEqual({
			problem: expect.stringMatching(problem) as string,
		});
	},
);

it.each([
	[
		"\u001epublish 8080 127.0.0.1:34567",
		{ port: 8080, reallyAt: { host: "127.0.0.1", port: 34567 } },
	],
	["publish 8080 127.0.0.1:34567", undefined],
	["\u001epublish 8080 127.0.0.1", undefined],
	["\u001epublish x 127.0.0.1:1", undefined],
	["", undefined],
])("a line %j says where a port is: %j", (line, found) => {
	expect(publicationOf(line)).toEqual(found);
});
