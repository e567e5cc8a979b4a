import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

/** What oxlint says of a file with this content at this place in the house. */
async function lint(folder: string, content: string): Promise<string> {
	const room = join(root, folder);
	await mkdir(room, { recursive: true });
	const place = await mkdtemp(join(room, "lint-probe-"));
	const file = join(place, "probe.ts");
	try {
		await writeFile(file, content);
		const { stdout } = await run(
			process.execPath,
			[join(root, "node_modules/oxlint/bin/oxlint"), "--deny-warnings", file],
			{ cwd: root },
		);
		return stdout;
	} catch (error) {
		return (error as { stdout: string }).stdout;
	} finally {
		await rm(place, { recursive: true });
	}
}

describe("the lint rules of the house", () => {
	it.each<[string, string, string, string]>([
		[
			"model does no I/O",
			"operator/model",
			'import fs from "node:fs";\nexport const x = fs;\n',
			"model does no I/O",
		],
		[
			"model asks nobody for the time",
			"operator/model",
			"export const x = Date.now();\n",
			"no-restricted-globals",
		],
		[
			"model imports nothing from the rooms that act",
			"operator/model",
			'export { Store } from "../../cluster/index.ts";\n',
			"model imports nothing of ours but api and errors",
		],
		[
			"cluster knows no providers",
			"operator/cluster",
			'export type { Provider } from "../../providers/provider.ts";\n',
			"cluster imports model, api and errors only",
		],
		[
			"providers know no controller",
			"operator/providers",
			'export { Term } from "../../controller/term.ts";\n',
			"providers import model, api and errors only",
		],
		[
			"the operator knows no fake cloud",
			"operator/controller",
			'export { x } from "../../../fake-cloud/server.ts";\n',
			"controller imports providers, cluster and what is below them",
		],
		[
			"nobody but cli reads the environment",
			"fake-cloud",
			"export const x = process.env.HOME;\n",
			"only cli/ reads the environment",
		],
	])("%s", async (_row, folder, content, complaint) => {
		expect(await lint(folder, content)).toContain(complaint);
	});

	it("leave alone what looks down the house", async () => {
		expect(
			await lint(
				"operator/controller",
				'export type { Provider } from "../../providers/provider.ts";\n',
			),
		).toContain("Found 0 warnings and 0 errors");
	});
});
