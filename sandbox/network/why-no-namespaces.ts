import { readFileSync } from "node:fs";

/**
 * One sentence for what `unshare` said when it failed, with the setting of this machine that is likely to be behind it. The
 * words are util-linux' own and the same since 2.26; those of other versions are passed on as they are.
 */
export function whyNoNamespaces(
	words: string,
	setting: (path: string) => string | undefined = readSetting,
): string {
	const said = words.trim().split("\n")[0] ?? "";
	const isRefused = /Operation not permitted|Permission denied/.test(said);
	if (
		/mount .*\/proc failed|cannot change root filesystem propagation/.test(said)
	)
		return `this machine allows namespaces but not mounts in them, as in most containers (${said})`;
	if (/uid_map|gid_map|setgroups/.test(said) && isRefused)
		return setting("kernel/apparmor_restrict_unprivileged_userns") === "1"
			? "AppArmor keeps unprivileged user namespaces powerless (sysctl kernel.apparmor_restrict_unprivileged_userns = 1)"
			: `this machine does not let a user be root in a user namespace of his own (${said})`;
	if (/unshare failed/.test(said)) {
		if (setting("kernel/unprivileged_userns_clone") === "0")
			return "unprivileged user namespaces are off (sysctl kernel.unprivileged_userns_clone = 0)";
		for (const kind of ["user", "net", "mnt", "pid", "uts", "ipc"])
			if (setting(`user/max_${kind}_namespaces`) === "0")
				return `this machine allows no ${kind} namespaces (sysctl user.max_${kind}_namespaces = 0)`;
		if (/No space left/.test(said))
			return "there are too many namespaces already (sysctls user.max_*_namespaces)";
		if (/Invalid argument/.test(said))
			return `this kernel lacks a kind of namespace (${said})`;
		if (isRefused)
			return `this machine does not let this user make namespaces, as in most containers (${said})`;
	}
	return said === ""
		? "the process in the namespaces ended before it could say anything"
		: `the namespaces could not be made: ${said}`;
}

function readSetting(path: string): string | undefined {
	try {
		return readFileSync(`/proc/sys/${path}`, "utf8").trim();
	} catch {
		// A setting that this kernel does not have forbids nothing.
		return undefined;
	}
}
