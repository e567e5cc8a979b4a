import { execFile } from "node:child_process";
import { FairleadError } from "../../errors.ts";

/** More than is printed of 10,000 Services. */
const MAX_BYTES = 1 << 30;

/**
 * What a program of the iptables-save family prints of all tables in this process' own network namespace; undefined where there is no
 * such program. It creates no table. Slow: for schedules, never where packets or changes wait.
 *
 * @throws KernelDenied without CAP_NET_ADMIN, or for the legacy variant, which opens a raw socket, CAP_NET_RAW; KernelFailed
 */
export function iptablesSave(program: string): Promise<string | undefined> {
	return new Promise((resolve, reject) => {
		execFile(program, { maxBuffer: MAX_BYTES }, (error, stdout, stderr) => {
			if (!error) resolve(stdout);
			else if (error.code === "ENOENT") resolve(undefined);
			else reject(failed(program, error, stderr));
		});
	});
}

function failed(program: string, error: Error, stderr: string): FairleadError {
	const said = stderr.trim().split("\n")[0] || error.message;
	return /permission denied|operation not permitted/i.test(stderr)
		? new FairleadError(
				"KernelDenied",
				`${program} needs CAP_NET_ADMIN, and in its legacy variant CAP_NET_RAW: ${said}`,
				{ cause: error },
			)
		: new FairleadError("KernelFailed", `${program} failed: ${said}`, {
				cause: error,
			});
}
