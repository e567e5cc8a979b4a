import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { parse } from "yaml";
import { FairleadError } from "../errors.ts";
import { oneLine } from "./answers.ts";
import type { Connection, CredentialSources } from "./connection.ts";
import { credentialsOf, impersonationHeaders } from "./credentials.ts";
import { type InCluster, inClusterConnection } from "./in-cluster.ts";
import {
	checkAuthority,
	flag,
	isMapping,
	kindOf,
	mapping,
	pem,
	type Section,
	text,
	whyUnreadable,
	wrong,
} from "./kubeconfig-fields.ts";

/** Where to look, first to last, as kubectl does; cli/ fills it from flags and environment. */
export interface KubeconfigSources extends CredentialSources {
	/** --kubeconfig */
	path?: string;
	/** KUBECONFIG: paths, separated as in PATH; what comes first wins, absent files are passed over. */
	list?: string;
	/** The user's home, for .kube/config. */
	home?: string;
	/** Where there is no kubeconfig: the Pod's service account. */
	inCluster?: InCluster;
	/** --context instead of current-context. */
	context?: string;
}

/** Finds and reads how to reach the API server. Throws KubeconfigInvalid, one line that names file and field. */
export async function loadConnection(
	sources: KubeconfigSources,
): Promise<Connection> {
	const { path, list, home, inCluster } = sources;
	if (path) return connectionOf([await readConfig(path)], sources);
	const listed = (list ?? "").split(delimiter).filter(Boolean);
	if (listed.length > 0) {
		const present = await presentOf(listed);
		if (present.length > 0) return connectionOf(present, sources);
		throw new FairleadError(
			"KubeconfigInvalid",
			`KUBECONFIG names ${listed.join(", ")}, which ${listed.length > 1 ? "do" : "does"} not exist; correct it or pass --kubeconfig`,
		);
	}
	const usual = home ? join(home, ".kube", "config") : undefined;
	const present = usual ? await presentOf([usual]) : [];
	if (present.length > 0) return connectionOf(present, sources);
	if (inCluster) return inClusterConnection(inCluster, sources);
	throw new FairleadError(
		"KubeconfigInvalid",
		`no kubeconfig: ${usual ?? "there is no home folder"}${usual ? " does not exist" : ""}, KUBECONFIG is not set, and this is no Pod; pass --kubeconfig`,
	);
}

async function presentOf(paths: string[]): Promise<Section[]> {
	const found: Section[] = [];
	for (const path of paths)
		try {
			found.push(await readConfig(path));
		} catch (error) {
			const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
			if (cause?.code !== "ENOENT") throw error;
		}
	return found;
}

async function readConfig(path: string): Promise<Section> {
	let content: string;
	try {
		content = await readFile(path, "utf8");
	} catch (error) {
		throw new FairleadError(
			"KubeconfigInvalid",
			`kubeconfig ${path} ${whyUnreadable(error)}`,
			{ cause: error },
		);
	}
	const no = (problem: string, cause?: unknown) =>
		new FairleadError(
			"KubeconfigInvalid",
			oneLine(`kubeconfig ${path} ${problem}`),
			{ cause },
		);
	let fields: unknown;
	try {
		fields = parse(content, { logLevel: "error" });
	} catch (error) {
		// The lines after the first quote the file, which may show a secret.
		const first = (error as Error).message.split("\n")[0] ?? "";
		throw no(`is not YAML: ${first.replace(/:$/, "")}`, error);
	}
	if (fields === null || fields === undefined)
		throw no("is empty; write one, or pass another with --kubeconfig");
	if (!isMapping(fields))
		throw no(`is no kubeconfig: it holds ${kindOf(fields)}, not a mapping`);
	const kind = fields["kind"];
	if (kind !== undefined && kind !== "Config")
		throw no(
			`is no kubeconfig: its kind is ${JSON.stringify(kind)}, not "Config"`,
		);
	return { file: path, at: "", fields };
}

async function connectionOf(
	files: Section[],
	sources: KubeconfigSources,
): Promise<Connection> {
	const context = currentContext(files, sources.context);
	const named = (field: "cluster" | "user") => {
		const name = text(context, field);
		if (name === undefined)
			throw wrong(context, field, `is missing; name one of ${field}s`);
		return entry(files, `${field}s`, field, name, (have) =>
			wrong(
				context,
				field,
				`"${name}" is not among ${field}s (${have}); correct it`,
			),
		);
	};
	const cluster = named("cluster");
	const insecureSkipTlsVerify = flag(cluster, "insecure-skip-tls-verify");
	const ca = await pem(cluster, "certificate-authority");
	const caField = ca?.file
		? "certificate-authority"
		: "certificate-authority-data";
	if (ca) checkAuthority(cluster, caField, ca.pem);
	if (ca && insecureSkipTlsVerify)
		throw wrong(
			cluster,
			"insecure-skip-tls-verify",
			`and ${caField} are both given; remove one`,
		);
	const tlsServerName = text(cluster, "tls-server-name");
	const proxyUrl = urlIn(cluster, "proxy-url");
	// A context without user is anonymous access, as through `kubectl proxy`.
	const user = text(context, "user") ? named("user") : undefined;
	const server = serverOf(cluster);
	return {
		server,
		...(ca ? { ca: ca.pem } : {}),
		insecureSkipTlsVerify,
		...(tlsServerName ? { tlsServerName } : {}),
		...(proxyUrl ? { proxyUrl } : {}),
		disableCompression: flag(cluster, "disable-compression"),
		headers: user ? impersonationHeaders(user) : {},
		namespace: text(context, "namespace") ?? "default",
		credentials: user
			? await credentialsOf(user, sources, {
					server: server.href.replace(/\/$/, ""),
					...(ca
						? {
								"certificate-authority-data": Buffer.from(ca.pem).toString(
									"base64",
								),
							}
						: {}),
					"insecure-skip-tls-verify": insecureSkipTlsVerify,
					...(tlsServerName ? { "tls-server-name": tlsServerName } : {}),
					...(proxyUrl ? { "proxy-url": proxyUrl.href } : {}),
				})
			: () => Promise.resolve({}),
	};
}

function currentContext(files: Section[], asked: string | undefined): Section {
	const setter = files.find((file) => text(file, "current-context"));
	const name = asked ?? (setter && text(setter, "current-context"));
	const main = files[0] as Section;
	if (!name)
		throw wrong(
			main,
			"current-context",
			"is missing; run `kubectl config use-context NAME` or pass --context",
		);
	return entry(files, "contexts", "context", name, (have) =>
		asked === undefined
			? wrong(
					setter ?? main,
					"current-context",
					`"${name}" is not among contexts (${have}); correct it or pass --context`,
				)
			: wrong(
					main,
					"contexts",
					`(${have}) lacks "${name}", which --context asks for; correct the flag`,
				),
	);
}

/** The first `list[].name === name` of all files; its `field` is what it holds. */
function entry(
	files: Section[],
	list: string,
	field: string,
	name: string,
	missing: (have: string) => FairleadError,
): Section {
	const names: string[] = [];
	for (const file of files) {
		const entries = file.fields[list] ?? [];
		if (!Array.isArray(entries))
			throw wrong(file, list, `is ${kindOf(entries)}; write a list`);
		for (const [index, one] of entries.entries()) {
			const at = `${list}[${index}]`;
			if (!isMapping(one))
				throw wrong(
					{ file: file.file, at },
					"",
					`is ${kindOf(one)}; write {name, ${field}}`,
				);
			const own = text({ file: file.file, at, fields: one }, "name");
			if (own === undefined)
				throw wrong({ file: file.file, at }, "name", "is missing; add it");
			names.push(own);
			if (own !== name) continue;
			const section = { file: file.file, at: `${list}[${name}]`, fields: one };
			return (
				mapping(section, field) ?? {
					...section,
					at: `${section.at}.${field}`,
					fields: {},
				}
			);
		}
	}
	throw missing(names.join(", ") || "there are none");
}

function serverOf(cluster: Section): URL {
	const server = urlIn(cluster, "server");
	if (server) return server;
	throw wrong(
		cluster,
		"server",
		"is missing; give the API server's URL, such as https://192.0.2.1:6443",
	);
}

function urlIn(cluster: Section, field: string): URL | undefined {
	const value = text(cluster, field);
	if (value === undefined) return undefined;
	// client-go takes a bare host:port for http; whoever writes one hardly means to send a token in the clear.
	const url =
		/^https?:\/\//.test(value) && URL.canParse(value)
			? new URL(value)
			: undefined;
	if (!url || url.search || url.hash)
		throw wrong(
			cluster,
			field,
			`is "${value}", which is no http:// or https:// URL; correct it`,
		);
	return url;
}
