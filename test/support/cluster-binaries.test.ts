import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binariesFolder } from "./cluster-binaries.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "fairlead-binaries-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A folder with programs of these names. */
function folderWith(name: string, programs: string[], mode = 0o755): string {
	const path = join(folder, name);
	mkdirSync(path, { recursive: true });
	for (const program of programs)
		writeFileSync(join(path, program), "", { mode });
	return path;
}

/** The cache's folder for the pinned versions, relative to XDG_CACHE_HOME. */
function cacheKey(): string {
	const cache = join(folder, "empty");
	const message = messageOf(() =>
		binariesFolder(["etcd"], { XDG_CACHE_HOME: cache }),
	);
	return message.split(";")[0]?.split(`${cache}/`)[1] as string;
}

function messageOf(run: () => unknown): string {
	try {
		run();
	} catch (error) {
		return (error as Error).message;
	}
	throw new Error("it did not throw");
}

test("missing binaries are named, with the command that builds them", () => {
	expect(
		messageOf(() =>
			binariesFolder(["etcd", "kubectl"], { XDG_CACHE_HOME: folder }),
		),
	).toMatch(
		/^etcd, kubectl not found in .*; build with: tools\/kubernetes\/build\.sh etcd kubectl$/,
	);
});

test("the cache's folder depends on the pinned versions", () => {
	expect(cacheKey()).toMatch(/^fairlead\/kubernetes\/[0-9a-f]{16}$/);
});

test("without XDG_CACHE_HOME the cache is in the home folder", () => {
	const cache = folderWith(join("home/.cache", cacheKey()), ["etcd"]);
	expect(binariesFolder(["etcd"], { HOME: join(folder, "home") })).toBe(cache);
});

test("KUBEBUILDER_ASSETS wins over the cache when it has all that is asked for", () => {
	folderWith(join("cache", cacheKey()), ["etcd"]);
	const assets = folderWith("assets", ["etcd"]);
	expect(
		binariesFolder(["etcd"], {
			KUBEBUILDER_ASSETS: assets,
			XDG_CACHE_HOME: join(folder, "cache"),
		}),
	).toBe(assets);
});

test("the cache wins over a KUBEBUILDER_ASSETS that lacks a component", () => {
	const cache = folderWith(join("cache", cacheKey()), ["etcd", "kube-proxy"]);
	expect(
		binariesFolder(["etcd", "kube-proxy"], {
			KUBEBUILDER_ASSETS: folderWith("assets", ["etcd"]),
			XDG_CACHE_HOME: join(folder, "cache"),
		}),
	).toBe(cache);
});

test("a file that is not executable counts as missing", () => {
	const assets = folderWith("assets", ["etcd"], 0o644);
	expect(
		messageOf(() =>
			binariesFolder(["etcd"], {
				KUBEBUILDER_ASSETS: assets,
				XDG_CACHE_HOME: folder,
			}),
		),
	).toContain(`nor all of them in KUBEBUILDER_ASSETS=${assets}`);
});
