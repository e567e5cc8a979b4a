import { execFile } from "node:child_process";
import { FairleadError } from "../../errors.ts";
import { type TableName, tableText } from "./wire.ts";

/** More than `nft` prints of 10,000 Services. */
const MAX_BYTES = 1 << 30;

/**
 * Another's table as `nft -j` lists it, in this process' own network namespace; undefined if there is none. Slow: for schedules,
 * never where packets or changes wait.
 *
 * @throws KernelUnsupported where there is no `nft`, KernelDenied without CAP_NET_ADMIN (nf_tables lets nobody else read either),
 *   KernelFailed
 */
export async function listTable(table: TableName): Promise<unknown> {
	const words = tableText(table).split(" ").slice(1);
	try {
		return JSON.parse(await run(["-j", "list", "table", ...words]));
	} catch (error) {
		const { code, stderr = "" } = error as NodeJS.ErrnoException & {
			stderr?: string;
		};
		if (stderr.includes("No such file or directory")) return undefined;
		const what = `cannot list ${tableText(table)}`;
		if (code === "ENOENT")
			throw new FairleadError(
				"KernelUnsupported",
				`${what}: there is no program nft; install nftables`,
				{ cause: error },
			);
		const said = stderr.trim().split("\n")[0] || (error as Error).message;
		throw new FairleadError(
			stderr.includes("Operation not permitted")
				? "KernelDenied"
				: "KernelFailed",
			`${what}: ${said}`,
			{ cause: error },
		);
	}
}

function run(args: readonly string[]): Promise<string> {
	return new Promise((resolve, reject) => {
		execFile("nft", args, { maxBuffer: MAX_BYTES }, (error, stdout, stderr) => {
			if (error) reject(Object.assign(error, { stderr }));
			else resolve(stdout);
		});
	});
}
