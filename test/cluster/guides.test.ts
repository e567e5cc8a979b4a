import { readFileSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { jest } from "@jest/globals";
import { binariesFolder } from "../support/cluster-binaries.ts";
import { Fairlead } from "../support/fairlead.ts";
import { commandsOf, normalised, runShown } from "../support/guide.ts";

jest.setTimeout(300_000);

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("docs/guides/services.md", () => {
	let sandbox: Fairlead;
	let folder: string;
	afterEach(async () => {
		await sandbox.kill("SIGINT");
		await rm(folder, { recursive: true });
	});

	it("says what its commands print, from the first to the last", async () => {
		folder = await mkdtemp(join(tmpdir(), "fairlead-guide-"));
		// What npx finds in a clone; npx itself takes a second each time.
		const npx = join(folder, "npx");
		await writeFile(
			npx,
			`#!/bin/sh\nshift\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "${root}cli/main.ts" "$@"\n`,
		);
		await chmod(npx, 0o755);
		sandbox = new Fairlead(["sandbox"], { PATH: process.env["PATH"] ?? "" });
		const [, kubeconfig = ""] = await sandbox.printed(/kubeconfig +(\S+)/);
		await sandbox.printed(/curl -x/);
		const shown = commandsOf(
			readFileSync(`${root}docs/guides/services.md`, "utf8"),
		);
		expect(shown.length).toBeGreaterThan(40);
		for (const { command, output, line } of shown) {
			const printed = await runShown(command, {
				cwd: root,
				env: {
					...process.env,
					KUBECONFIG: kubeconfig,
					PATH: `${folder}:${binariesFolder(["kubectl"])}:${process.env["PATH"]}`,
				},
				timeoutMs: 60_000,
			});
			expect({ line, command, output: normalised(printed) }).toEqual({
				line,
				command,
				output: normalised(output),
			});
		}
	});
});
