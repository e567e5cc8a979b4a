import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join, relative, sep } from "node:path";

export interface Asset {
	type: string;
	body: Buffer;
	/** Strong, for the header ETag. */
	tag: string;
}

/**
 * Packages the page imports by name. The Content Security Policy forbids the inline import map that would let the
 * browser resolve them, so their names become relative addresses when the files are read.
 */
const vendored = [
	"preact",
	"preact/hooks",
	"@preact/signals",
	"@preact/signals-core",
	"htm",
] as const;

const types: Record<string, string> = {
	".html": "text/html; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
};

/** Beside this file in the sources; the compiled package leaves it where the sources have it, outside dist/. */
const publicFolder = [
	join(import.meta.dirname, "public"),
	join(import.meta.dirname, "../../../fake-cloud/dashboard/public"),
].find(existsSync);

/** Every file of the page by its address below `assets/`, vendored packages under `vendor/`; `index.html` among them. */
export function loadAssets(): Map<string, Asset> {
	if (publicFolder === undefined)
		throw new Error(
			"the dashboard's public folder is missing: reinstall fairlead",
		);
	const assets = new Map<string, Asset>();
	const add = (address: string, text: string) => {
		const type = types[extname(address)];
		if (type === undefined) return;
		const body = Buffer.from(
			type.startsWith("text/javascript") ? resolveImports(text, address) : text,
		);
		const tag = `"${createHash("sha256").update(body).digest("base64url")}"`;
		assets.set(address, { type, body, tag });
	};
	for (const entry of readdirSync(publicFolder, {
		recursive: true,
		withFileTypes: true,
	})) {
		if (!entry.isFile()) continue;
		const path = join(entry.parentPath, entry.name);
		add(
			relative(publicFolder, path).split(sep).join("/"),
			readFileSync(path, "utf8"),
		);
	}
	for (const name of vendored)
		add(vendorAddress(name), readFileSync(modulePath(name), "utf8"));
	return assets;
}

/**
 * `import … from "preact"` becomes `import … from "../vendor/preact.js"`, as seen from `address`.
 *
 * @throws on the name of a package that is not served: the page would not start.
 */
export function resolveImports(source: string, address: string): string {
	const up = "../".repeat(address.split("/").length - 1) || "./";
	return source
		.replace(
			/(\bfrom|\bimport)(\s*)"([^"./][^"\n]*)"/g,
			(_, keyword: string, space: string, name: string) => {
				if (!(vendored as readonly string[]).includes(name))
					throw new Error(
						`${address} imports "${name}", which the dashboard does not serve: add it to the vendored packages`,
					);
				return `${keyword}${space}"${up}${vendorAddress(name)}"`;
			},
		)
		.replace(/^\/\/# sourceMappingURL=.*$/gm, "");
}

const vendorAddress = (name: string): string =>
	`vendor/${name.replace("@", "").replaceAll("/", "-")}.js`;

/** The package's ES module: what `require` finds, or the `.mjs` beside it. */
function modulePath(name: string): string {
	return createRequire(import.meta.url)
		.resolve(name)
		.replace(/\.js$/, ".mjs");
}
