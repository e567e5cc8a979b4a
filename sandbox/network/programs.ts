import { accessSync, constants } from "node:fs";
import { FairleadError } from "../../operator/errors.ts";

/** Where Linux distributions keep system programs: PATH is the user's, and a pod's environment is its own. */
const folders = [
	"/usr/bin",
	"/bin",
	"/usr/sbin",
	"/sbin",
	"/usr/local/bin",
	"/run/current-system/sw/bin",
];

/**
 * The path of a system program.
 *
 * @throws NetworkUnavailable if this machine does not have it
 */
export function programPath(name: string): string {
	for (const folder of folders) {
		const path = `${folder}/${name}`;
		try {
			accessSync(path, constants.X_OK);
			return path;
		} catch {
			// It may be in the next.
		}
	}
	throw new FairleadError(
		"NetworkUnavailable",
		`${name} is not installed (looked in ${folders.join(", ")}); it comes with util-linux`,
	);
}
