import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { jest } from "@jest/globals";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { Fairlead } from "../support/fairlead.ts";

jest.setTimeout(60_000);

const root = fileURLToPath(new URL("../..", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");
/** What stands in the README's fenced blocks, by language. */
const blocks = (language: string): string[] =>
	[
		...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms")),
	].map(([, text = ""]) => text);

describe("the README's way onto a cluster", () => {
	let cluster: Cluster;
	beforeAll(async () => {
		cluster = await startCluster();
	});
	afterAll(() => cluster.stop());

	it("prepares the cluster by the commands it shows", async () => {
		const commands =
			blocks("").find((block) => block.includes("kubectl apply")) ?? "";
		const lines = commands.match(/^kubectl .*$/gm) ?? [];
		expect(lines).toHaveLength(3);
		for (const line of lines) {
			const [, ...args] = line.split(" ");
			const { code, stderr } = await cluster.kubectl(
				args.map((arg) => (arg === "crds/" ? `${root}crds/` : arg)),
			);
			expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: "" });
		}
		const waited = await cluster.kubectl([
			"wait",
			"--for=condition=Established",
			"crd",
			"--all",
		]);
		expect(waited.code).toBe(0);
	});

	it("shows manifests that the API server takes as they are", async () => {
		const manifests = blocks("yaml");
		expect(manifests.length).toBeGreaterThan(0);
		for (const manifest of manifests) {
			const { code, stderr } = await cluster.kubectl(
				["apply", "--validate=strict", "-f", "-"],
				{ stdin: manifest },
			);
			expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
		}
	});

	it("starts a controller that leads by the command it shows", async () => {
		const [, line = ""] =
			/^npx fairlead (controller .*)$/m.exec(blocks("").join("\n")) ?? [];
		const controller = new Fairlead([
			...line
				.split(" ")
				.map((arg) => (arg.startsWith("~/") ? cluster.kubeconfigPath : arg)),
			"--metrics-port",
			"0",
		]);
		await controller.logged(({ msg }) => msg.startsWith("leads"));
		expect(await controller.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	});

	it("is the package's own command under npx", async () => {
		const version = await new Promise<string>((resolve, reject) => {
			execFile("npx", ["fairlead", "--version"], { cwd: root }, (error, out) =>
				error ? reject(error) : resolve(out),
			);
		});
		expect(version).toMatch(/^fairlead \d+\.\d+\.\d+\n$/);
	});
});
