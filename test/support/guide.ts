import { execFile } from "node:child_process";

/** One command of a guide, and what the guide says it prints. */
export interface Shown {
	command: string;
	output: string;
	/** Line of the command in the Markdown file, from 1. */
	line: number;
}

/**
 * The commands of a Markdown text's ```console blocks, in order: a line that begins with `$ ` is a command (one that ends in
 * a backslash goes on in the next), what follows is its output.
 */
export function commandsOf(markdown: string): Shown[] {
	const shown: Shown[] = [];
	let inside = false;
	let continued = false;
	for (const [index, text] of markdown.split("\n").entries()) {
		if (text.startsWith("```")) {
			inside = !inside && text === "```console";
			continued = false;
			continue;
		}
		if (!inside) continue;
		const last = shown.at(-1);
		if (continued && last) last.command += `\n${text}`;
		else if (text.startsWith("$ "))
			shown.push({ command: text.slice(2), output: "", line: index + 1 });
		else if (last) last.output += `${text}\n`;
		else throw new Error(`line ${index + 1}: output before any command`);
		continued = (continued || text.startsWith("$ ")) && text.endsWith("\\");
	}
	return shown;
}

/** Runs a command as a shell would; standard output and error come as one, as on a terminal. */
export function runShown(
	command: string,
	options: { cwd: string; env: NodeJS.ProcessEnv; timeoutMs: number },
): Promise<string> {
	return new Promise((resolve) => {
		execFile(
			"bash",
			["-c", `exec 2>&1\n${command}`],
			{ cwd: options.cwd, env: options.env, timeout: options.timeoutMs },
			(error, stdout) =>
				resolve(
					error?.killed
						? `${stdout}(stopped after ${options.timeoutMs} ms)\n`
						: stdout,
				),
		);
	});
}

const alphanums = "bcdfghjklmnpqrstvwxz2456789";

/** What differs from run to run, by what stands for it. Order matters. */
const varying: [RegExp, string][] = [
	// What client-go logs of itself in kubectl and helm, now and then.
	[/^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} .*\n/gm, ""],
	[/^LAST DEPLOYED: .*$/gm, "LAST DEPLOYED: WHEN"],
	[/\b10\.96\.(?!0\.1\b|0\.10\b)\d+\.\d+\b/g, "CLUSTER-IP"],
	[/\b10\.244\.\d+\.\d+\b/g, "POD-IP"],
	[/\b172\.30\.1\.\d+\b/g, "NODE-IP"],
	[/\bnode-\d+\b/g, "node-N"],
	[new RegExp(`-[${alphanums}]{6,10}-[${alphanums}]{5}\\b`, "g"), "-POD"],
	[new RegExp(`-(?:[${alphanums}]{5}|[${alphanums}]{8,10})\\b`, "g"), "-HASH"],
	[/\b3[0-2]\d{3}\b/g, "NODE-PORT"],
	[/\b\d+(?:\.\d+)?(?:ms|s|m\d+s|m)\b/g, "AGE"],
	[/\b127\.0\.0\.1:\d+\b/g, "LOOPBACK"],
	[/[ \t]+/g, " "],
	[/ $/gm, ""],
];

/** A text in which everything that may differ between two true runs is replaced by its kind. */
export function normalised(text: string): string {
	return varying
		.reduce((result, [from, to]) => result.replace(from, to), text)
		.trim();
}
