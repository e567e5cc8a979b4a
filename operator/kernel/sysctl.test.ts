import { constants } from "node:os";
import { FairleadError } from "../errors.ts";
import type { NetworkNamespace } from "./namespaces.ts";
import { setNetworkSettings, trySetNetworkSetting } from "./sysctl.ts";

/** A namespace where the kernel answers every write with this error. */
function refusing(code: "ENOENT" | "EACCES" | "EPERM" | "EINVAL") {
	const error = Object.assign(new Error(code), {
		code,
		errno: -constants.errno[code],
	});
	return namespaceThat(() => {
		throw error;
	});
}

function namespaceThat(run: () => never): NetworkNamespace {
	return { fd: -1, run, close() {} };
}

const path = "netfilter/nf_conntrack_acct";

test.each([
	["ENOENT", "KernelUnsupported", "this kernel does not have it"],
	["EACCES", "KernelDenied", "EACCES"],
	["EPERM", "KernelDenied", "EPERM"],
	["EINVAL", "KernelFailed", "EINVAL"],
] as const)(
	"a setting that must be there and is refused with %s is a %s that names it",
	(code, expected, why) => {
		const set = () => setNetworkSettings(refusing(code), { [path]: 1 });
		expect(set).toThrow(expect.objectContaining({ code: expected }));
		expect(set).toThrow("net.netfilter.nf_conntrack_acct");
		expect(set).toThrow(why);
	},
);

test.each([
	["ENOENT", false, "skipped"],
	["ENOENT", true, "skipped"],
	["EACCES", true, "skipped"],
	["EPERM", true, "skipped"],
	["EACCES", false, "KernelDenied"],
	["EPERM", false, "KernelDenied"],
	["EINVAL", true, "KernelFailed"],
] as const)(
	"one that need not be there and is refused with %s, where being denied is fine: %s, is %s",
	(code, mayBeDenied, expected) => {
		const set = () =>
			trySetNetworkSetting(refusing(code), path, 1, { mayBeDenied });
		if (expected === "skipped") expect(set()).toBe(false);
		else expect(set).toThrow(expect.objectContaining({ code: expected }));
	},
);

test("a namespace that cannot be entered is no setting that is missing", () => {
	const closed = namespaceThat(() => {
		throw new FairleadError("KernelFailed", "cannot enter", {
			reason: "EBADF",
		});
	});
	expect(() => trySetNetworkSetting(closed, path, 1)).toThrow("cannot enter");
});
