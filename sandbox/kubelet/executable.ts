import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";

/**
 * Why a command cannot be started in a folder, in a container runtime's words; undefined if it can. The kernel says the
 * same later, but then as the exit code of whatever was to start it.
 */
export function startProblem(
	command: readonly string[],
	path: string,
	cwd: string | undefined,
): string | undefined {
	const [program = ""] = command;
	if (cwd !== undefined && !isFolder(cwd))
		return `chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed: no such file or directory`;
	if (program.includes("/"))
		return isExecutable(program)
			? undefined
			: `exec: ${JSON.stringify(program)}: stat ${program}: no such file or directory`;
	for (const folder of path.split(":"))
		if (program !== "" && isExecutable(join(folder || ".", program)))
			return undefined;
	return `exec: ${JSON.stringify(program)}: executable file not found in $PATH`;
}

function isExecutable(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return statSync(path).isFile();
	} catch {
		return false;
	}
}

function isFolder(path: string): boolean {
	return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
