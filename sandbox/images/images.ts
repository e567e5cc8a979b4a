import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What a container of the sandbox runs: a process of this machine. */
export interface Program {
	command: string[];
	/** What an image's ENV would set; the container's own wins. */
	env: Record<string, string>;
	/** What the kubelet's event Pulled says instead of what was pulled. */
	note: string;
}

/** Two folders up when run from source; the package keeps it at the same path when run from dist/. */
const hello = fileURLToPath(
	["./hello.cjs", "../../../sandbox/images/hello.cjs"]
		.map((path) => new URL(path, import.meta.url))
		.find((file) => existsSync(file)) ??
		new URL("./hello.cjs", import.meta.url),
);

/** Images whose name ends like this, at any tag or digest, and what stands for them. */
const builtIn: {
	name: RegExp;
	program(args: readonly string[]): Record<string, string> | string;
}[] = [
	{ name: /^fairlead\/hello$/, program: () => ({}) },
	{ name: /(^|\/)e2e-test-images\/agnhost$/, program: agnhost },
];

/**
 * The program for a container: its own command, or the one of a built-in image. The sandbox has no container runtime, so
 * any other image has none.
 *
 * @param args As expanded by the kubelet; they follow the container's command.
 * @param node Path of the Node.js that runs the built-in programs.
 */
export function programOf(
	image: string,
	command: readonly string[],
	args: readonly string[],
	node: { binary: string; name: string },
): Program | { problem: string } {
	if (command.length > 0)
		return {
			command: [...command, ...args],
			env: {},
			note: `Nothing was pulled for image "${image}": the sandbox runs the container's command as a process of this machine`,
		};
	const name = image.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
	const found = builtIn.find((each) => each.name.test(name));
	if (!found)
		return {
			problem: `the sandbox runs processes, not images, and has no program for "${image}": give the container a command, which then runs from this machine's PATH, or use image fairlead/hello`,
		};
	const env = found.program(args);
	if (typeof env === "string")
		return { problem: `the sandbox has no "${env}" of image "${image}"` };
	return {
		command: [node.binary, hello],
		env: { FAIRLEAD_NODE: node.name, ...env },
		note: `Nothing was pulled for image "${image}": its program is part of the sandbox`,
	};
}

/** The flags of agnhost's netexec and serve-hostname that choose ports (test/images/agnhost). */
function agnhost(args: readonly string[]): Record<string, string> | string {
	const [subcommand = "", ...flags] = args;
	const flag = (name: string, otherwise: string) => {
		const at = flags.findIndex((each) =>
			new RegExp(`^--?${name}(=|$)`).test(each),
		);
		const [, value] = (flags[at] ?? "").split("=");
		return value ?? (at < 0 ? otherwise : (flags[at + 1] ?? otherwise));
	};
	if (subcommand === "netexec")
		return {
			HELLO_AS: "netexec",
			PORT: flag("http-port", "8080"),
			UDP_PORT: flag("udp-port", "8081"),
		};
	if (subcommand === "serve-hostname")
		return { HELLO_AS: "serve-hostname", PORT: flag("port", "9376") };
	return subcommand || "default command";
}
