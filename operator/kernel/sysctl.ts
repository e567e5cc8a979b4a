import { readFileSync, writeFileSync } from "node:fs";
import { FairleadError, isFairleadError } from "../errors.ts";
import { failure } from "./libc.ts";
import type { NetworkNamespace } from "./namespaces.ts";

/**
 * Sets network settings of a namespace, by their path below /proc/sys/net: `ipv4/ip_forward`.
 *
 * @throws KernelUnsupported for one that this kernel does not have, KernelDenied, KernelFailed; the message names it
 */
export function setNetworkSettings(
	namespace: NetworkNamespace,
	settings: Readonly<Record<string, string | number>>,
): void {
	for (const [path, value] of Object.entries(settings)) {
		const error = write(namespace, path, value);
		if (error) throw refused(path, value, error);
	}
}

/**
 * As `setNetworkSettings`, for one that not every kernel has. False where it is not there; with `mayBeDenied` also where this
 * user may not set it, for kernels that show a setting to other user namespaces and let none of them write it.
 */
export function trySetNetworkSetting(
	namespace: NetworkNamespace,
	path: string,
	value: string | number,
	{ mayBeDenied = false }: { mayBeDenied?: boolean } = {},
): boolean {
	const error = write(namespace, path, value);
	if (!error) return true;
	const { code } = error;
	if (code === "ENOENT") return false;
	if (mayBeDenied && (code === "EACCES" || code === "EPERM")) return false;
	throw refused(path, value, error);
}

/** One network setting of a namespace. */
export function networkSetting(
	namespace: NetworkNamespace,
	path: string,
): string {
	return namespace.run(() =>
		readFileSync(`/proc/sys/net/${path}`, "utf8").trim(),
	);
}

function write(
	namespace: NetworkNamespace,
	path: string,
	value: string | number,
): NodeJS.ErrnoException | undefined {
	try {
		namespace.run(() =>
			writeFileSync(`/proc/sys/net/${path}`, String(value), { flag: "r+" }),
		);
		return undefined;
	} catch (error) {
		if (isFairleadError(error)) throw error;
		return error as NodeJS.ErrnoException;
	}
}

function refused(
	path: string,
	value: string | number,
	error: NodeJS.ErrnoException,
): FairleadError {
	const name = `net.${path.replaceAll("/", ".")}`;
	if (error.code === "ENOENT")
		return new FairleadError(
			"KernelUnsupported",
			`cannot set ${name}: this kernel does not have it`,
			{ reason: "ENOENT", cause: error },
		);
	// Node's numbers are negative.
	return failure(
		`set ${name} to ${value}`,
		-(error.errno ?? 0),
		undefined,
		error,
	);
}
