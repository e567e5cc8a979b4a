import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { FairleadError } from "../errors.ts";
import { oneLine } from "./answers.ts";

/** One mapping of a kubeconfig, with where it stands, so that every mistake can be named. */
export interface Section {
	file: string;
	/** As in `users[admin].user`; "" for the top. */
	at: string;
	fields: Record<string, unknown>;
}

/** The error for a mistake in `field`; `problem` says what is wrong with it and what to do. */
export function wrong(
	section: Pick<Section, "file" | "at">,
	field: string,
	problem: string,
	cause?: unknown,
): FairleadError {
	const path = [section.at, field].filter(Boolean).join(".");
	return new FairleadError(
		"KubeconfigInvalid",
		oneLine(`${section.file}: ${path} ${problem}`),
		{ cause },
	);
}

/** A string; absent, null and "" are all "not given", as in Kubernetes' own types. */
export function text(section: Section, field: string): string | undefined {
	const value = section.fields[field];
	if (value === undefined || value === null || value === "") return undefined;
	if (typeof value === "string") return value;
	throw wrong(section, field, `is ${kindOf(value)}, not a string; quote it`);
}

export function flag(section: Section, field: string): boolean {
	const value = section.fields[field] ?? false;
	if (typeof value === "boolean") return value;
	throw wrong(section, field, `is ${kindOf(value)}; write true or false`);
}

/** A list of strings; empty if absent. */
export function texts(section: Section, field: string): string[] {
	const value = section.fields[field] ?? [];
	if (Array.isArray(value) && value.every((one) => typeof one === "string"))
		return value as string[];
	throw wrong(section, field, `is ${kindOf(value)}; write a list of strings`);
}

/** A mapping below `section`; undefined if absent. */
export function mapping(section: Section, field: string): Section | undefined {
	const value = section.fields[field];
	if (value === undefined || value === null) return undefined;
	const at = [section.at, field].filter(Boolean).join(".");
	if (isMapping(value)) return { file: section.file, at, fields: value };
	throw wrong(section, field, `is ${kindOf(value)}; write a mapping`);
}

export function isMapping(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function kindOf(value: unknown): string {
	if (value === null) return "empty";
	if (Array.isArray(value)) return "a list";
	return typeof value === "object"
		? "a mapping"
		: `the ${typeof value} ${JSON.stringify(value)}`;
}

/** Absolute path of a file that `field` names; relative ones start at the kubeconfig's folder, as kubectl has it. */
export function pathIn(section: Section, field: string): string | undefined {
	const value = text(section, field);
	return value === undefined
		? undefined
		: resolve(dirname(section.file), value);
}

/** Content of the file that `field` names. */
export async function contentOf(
	section: Section,
	field: string,
	path: string,
): Promise<string> {
	try {
		return await readFile(path, "utf8");
	} catch (error) {
		throw wrong(
			section,
			field,
			`names ${path}, which ${whyUnreadable(error)}`,
			error,
		);
	}
}

export function whyUnreadable(error: unknown): string {
	switch ((error as NodeJS.ErrnoException).code) {
		case "ENOENT":
		case "ENOTDIR":
			return "does not exist; correct the path or create the file";
		case "EACCES":
		case "EPERM":
			return "may not be read by this user; change its mode or owner";
		case "EISDIR":
			return "is a folder; name a file";
	}
	return `cannot be read: ${(error as Error).message}`;
}

/** PEM text out of `<field>-data` (base64), which wins, or out of the file that `<field>` names. */
export async function pem(
	section: Section,
	field: string,
): Promise<{ pem: string; file?: string } | undefined> {
	const data = text(section, `${field}-data`);
	if (data !== undefined) {
		const packed = data.replace(/\s+/g, "");
		if (
			!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(
				packed,
			)
		)
			throw wrong(
				section,
				`${field}-data`,
				"is not base64; encode the PEM file with base64",
			);
		const content = Buffer.from(packed, "base64").toString("utf8");
		return { pem: mustBePem(section, `${field}-data`, content, "holds") };
	}
	const file = pathIn(section, field);
	if (file === undefined) return undefined;
	const content = await contentOf(section, field, file);
	return {
		file,
		pem: mustBePem(section, field, content, `names ${file}, which holds`),
	};
}

function mustBePem(
	section: Section,
	field: string,
	content: string,
	holds: string,
): string {
	if (/-----BEGIN [A-Z0-9 ]+-----/.test(content)) return content;
	throw wrong(section, field, `${holds} no PEM; give a "-----BEGIN …" block`);
}

/** Throws unless the first certificate of `content` can be read. */
export function checkAuthority(
	section: Section,
	field: string,
	content: string,
): void {
	try {
		new X509Certificate(content);
	} catch (error) {
		throw wrong(
			section,
			field,
			`holds no certificate that can be read (${(error as Error).message}); give the cluster's CA`,
			error,
		);
	}
}

/** Why this certificate and key cannot be used together; undefined if they can. */
export function pairProblem(
	certificate: string,
	key: string,
): string | undefined {
	try {
		createSecureContext({ cert: certificate, key });
		return undefined;
	} catch (error) {
		return (error as Error).message;
	}
}
