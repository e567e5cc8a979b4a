import { readFileSync } from "node:fs";
import { isFairleadError } from "../operator/errors.ts";
import {
	explainArgument,
	explainFlags,
	migrateArgument,
	migrateFlags,
	nodePortsFlags,
	planFlags,
} from "./asking-config.ts";
import {
	agentFlags,
	controllerFlags,
	dnsFlags,
	fakeCloudFlags,
	sandboxFlags,
} from "./config.ts";
import {
	type Argument,
	describeFlags,
	type Flags,
	parseFlags,
} from "./flags.ts";
import { processRuntime, type Runtime } from "./runtime.ts";

interface Command {
	summary: string;
	flags: Flags;
	argument?: Argument;
	/** What must be given, where that is not the argument. */
	usage?: string;
	/** Further lines of its help. */
	more?: string;
	/** Runs until it is done or asked to stop; resolves with the exit code, 0 if none. Roles are loaded only when they are run. */
	run(values: never, runtime: Runtime): Promise<number | void>;
}

const commands: Record<string, Command> = {
	sandbox: {
		summary: "A cluster, a cloud and a served Service, from one command",
		flags: sandboxFlags,
		more: "\nfairlead sandbox exec client|cloud|node-N|POD|NAMESPACE/POD -- COMMAND runs a command inside the newest sandbox.\n",
		run: async (values, runtime) =>
			(await import("./commands/sandbox.ts")).sandbox(values, runtime),
	},
	controller: {
		summary: "Gives LoadBalancer Services their balancers",
		flags: controllerFlags,
		run: async (values, runtime) =>
			(await import("./commands/controller.ts")).controller(values, runtime),
	},
	agent: {
		summary: "Keeps the rules of one node, instead of kube-proxy",
		flags: agentFlags,
		run: async (values, runtime) =>
			(await import("./commands/agent.ts")).agent(values, runtime),
	},
	dns: {
		summary: "Answers the cluster's names, and those of balancers",
		flags: dnsFlags,
		run: async (values, runtime) =>
			(await import("./commands/dns.ts")).dns(values, runtime),
	},
	"fake-cloud": {
		summary: "A cloud API that speaks Hetzner Cloud's wire, with a dashboard",
		flags: fakeCloudFlags,
		run: async (values, runtime) =>
			(await import("./commands/fake-cloud.ts")).fakeCloud(values, runtime),
	},
	explain: {
		summary: "Says why a Service has its address, or waits for one",
		flags: explainFlags,
		argument: explainArgument,
		more: "\nExit codes: 0 served (without a name: nobody waits), 3 not served, 1 the cluster could not be read, 2 the command line is wrong.\n",
		run: async (values, runtime) =>
			(await import("./commands/explain.ts")).explain(values, runtime),
	},
	plan: {
		summary: "Says what an edit of pools or classes would change",
		flags: planFlags,
		usage: "-f FILE | --delete NAME",
		more: "\nExit codes: 0 no Service is worse off, 3 some are, or the edit has problems, 1 it cannot be said, 2 the command line is wrong.\n",
		run: async (values, runtime) =>
			(await import("./commands/plan.ts")).plan(values, runtime),
	},
	nodeports: {
		summary: "Says who holds which NodePort, and what clashes with them",
		flags: nodePortsFlags,
		more: "\nExit codes: 0 also where something clashes, 1 the cluster could not be read, 2 the command line is wrong.\n",
		run: async (values, runtime) =>
			(await import("./commands/nodeports.ts")).nodeports(values, runtime),
	},
	migrate: {
		summary: "Turns MetalLB's pools and advertisements into Fairlead's",
		flags: migrateFlags,
		argument: migrateArgument,
		more: "\nExit codes: 0 all of it could be turned, 3 some could not (it says what), 1 nothing was found or the cluster could not be read, 2 the command line is wrong.\n",
		run: async (values, runtime) =>
			(await import("./commands/migrate.ts")).migrate(values, runtime),
	},
};

/** Commands that Fairlead gives itself. */
const hidden: Record<string, Command> = {
	"sandbox-inside": {
		summary: "",
		flags: {},
		run: async (values, runtime) =>
			(await import("./commands/sandbox-inside.ts")).sandboxInside(
				values,
				runtime,
			),
	},
};

/** Exit codes: 0 done or stopped as asked, 1 failed, 2 the command line is wrong; 3 what the command says it is. */
async function main(args: string[]): Promise<number> {
	const [name, ...rest] = args;
	if (name === undefined || name === "help" || name === "--help") {
		process.stdout.write(usage());
		return name === undefined ? 2 : 0;
	}
	if (name === "version" || name === "--version") {
		process.stdout.write(`fairlead ${version()}\n`);
		return 0;
	}
	const known = { ...commands, ...hidden };
	const command = Object.hasOwn(known, name) ? known[name] : undefined;
	if (!command) {
		process.stderr.write(
			`fairlead: there is no command ${name}; it has ${Object.keys(commands).join(", ")}\n`,
		);
		return 2;
	}
	if (name === "sandbox" && rest[0] === "exec") return execute(rest.slice(1));
	if (rest.includes("--help")) {
		process.stdout.write(
			`fairlead ${name}${synopsis(command)}: ${command.summary}\n\n${describeFlags(command.flags)}\n${command.more ?? ""}`,
		);
		return 0;
	}
	try {
		const values = parseFlags(command.flags, rest, command.argument);
		return (await command.run(values as never, processRuntime())) ?? 0;
	} catch (error) {
		return complain(name, error);
	}
}

function synopsis({ usage, argument }: Command): string {
	if (usage !== undefined) return ` ${usage}`;
	return argument ? ` [${argument.value}]` : "";
}

/** `fairlead sandbox exec`: what stands behind `--` is the command's own, `--help` too. */
async function execute(args: string[]): Promise<number> {
	try {
		const { sandboxExec } = await import("./commands/sandbox-exec.ts");
		return await sandboxExec(args, processRuntime());
	} catch (error) {
		return complain("sandbox exec", error);
	}
}

function complain(what: string, error: unknown): number {
	if (!isFairleadError(error)) throw error;
	process.stderr.write(`fairlead ${what}: ${error.message}\n`);
	return error.code === "FlagInvalid" ? 2 : 1;
}

function usage(): string {
	const width = Math.max(...Object.keys(commands).map((name) => name.length));
	const rows = Object.entries(commands).map(
		([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
	);
	return `fairlead ${version()}: external load balancers for Kubernetes\n\nfairlead COMMAND [FLAGS]\n\n${rows.join("\n")}\n\nfairlead COMMAND --help lists the flags of a command.\n`;
}

function version(): string {
	for (const path of ["../package.json", "../../package.json"])
		try {
			const file = readFileSync(new URL(path, import.meta.url), "utf8");
			return (JSON.parse(file) as { version: string }).version;
		} catch (error) {
			// Run from source the package is one folder up, from dist/ two.
			if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
		}
	return "(unknown version)";
}

process.exitCode = await main(process.argv.slice(2));
if (process.exitCode !== 0) process.exit();
