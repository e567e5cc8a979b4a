import { readFileSync, writeFileSync } from "node:fs";
import type { NetworkNamespace } from "./namespaces.ts";

/**
 * Sets network settings of a namespace, by their path below /proc/sys/net: `ipv4/ip_forward`. One that this kernel does not
 * have throws ENOENT.
 */
export function setNetworkSettings(
	namespace: NetworkNamespace,
	settings: Readonly<Record<string, string | number>>,
): void {
	namespace.run(() => {
		for (const [path, value] of Object.entries(settings))
			writeFileSync(`/proc/sys/net/${path}`, String(value));
	});
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
