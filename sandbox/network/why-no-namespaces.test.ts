import { whyNoNamespaces } from "./why-no-namespaces.ts";

const refused = "unshare: unshare failed: Operation not permitted\n";

test.each<[string, string, Record<string, string>, string]>([
	[
		"switched off by the distribution",
		refused,
		{ "kernel/unprivileged_userns_clone": "0" },
		"unprivileged user namespaces are off (sysctl kernel.unprivileged_userns_clone = 0)",
	],
	[
		"limited to none",
		"unshare: unshare failed: No space left on device\n",
		{ "user/max_user_namespaces": "0" },
		"this machine allows no user namespaces (sysctl user.max_user_namespaces = 0)",
	],
	[
		"all used up",
		"unshare: unshare failed: No space left on device\n",
		{ "user/max_user_namespaces": "100" },
		"there are too many namespaces already (sysctls user.max_*_namespaces)",
	],
	[
		"restricted by AppArmor",
		"unshare: write failed /proc/self/uid_map: Operation not permitted\n",
		{ "kernel/apparmor_restrict_unprivileged_userns": "1" },
		"AppArmor keeps unprivileged user namespaces powerless (sysctl kernel.apparmor_restrict_unprivileged_userns = 1)",
	],
	[
		"refused by a container's seccomp filter",
		refused,
		{},
		"this machine does not let this user make namespaces, as in most containers (unshare: unshare failed: Operation not permitted)",
	],
	[
		"allowed without mounts",
		"unshare: mount /proc failed: Operation not permitted\n",
		{},
		"this machine allows namespaces but not mounts in them, as in most containers (unshare: mount /proc failed: Operation not permitted)",
	],
	[
		"unknown to the kernel",
		"unshare: unshare failed: Invalid argument\n",
		{},
		"this kernel lacks a kind of namespace (unshare: unshare failed: Invalid argument)",
	],
	[
		"not made for a reason nobody foresaw",
		"unshare: failed to execute /no/node: No such file or directory\nmore\n",
		{},
		"the namespaces could not be made: unshare: failed to execute /no/node: No such file or directory",
	],
	[
		"not made, in silence",
		"",
		{},
		"the process in the namespaces ended before it could say anything",
	],
])(
	"namespaces that are %s are explained",
	(_how, words, settings, sentence) => {
		expect(whyNoNamespaces(words, (path) => settings[path])).toBe(sentence);
	},
);
