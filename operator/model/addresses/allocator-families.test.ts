import {
	both,
	held,
	pool,
	said,
	service,
} from "../../../test/support/address-requests.ts";
import { Allocator } from "./allocator.ts";
import type { Pool } from "./pool.ts";
import type { AddressRequest } from "./request.ts";

const four = pool("four", "10.0.0.0/32");
const six = pool("six", "2001:db8::/128");

test.each<[AddressRequest["policy"], string, Pool[], boolean, string[]]>([
	[
		"RequireDualStack",
		"both",
		[four, six],
		true,
		["10.0.0.0 of four", "2001:db8:: of six"],
	],
	["RequireDualStack", "IPv4 only", [four], false, []],
	["RequireDualStack", "IPv6 only", [six], false, []],
	[
		"PreferDualStack",
		"both",
		[four, six],
		true,
		["10.0.0.0 of four", "2001:db8:: of six"],
	],
	["PreferDualStack", "IPv4 only", [four], true, ["10.0.0.0 of four"]],
	["PreferDualStack", "IPv6 only", [six], true, ["2001:db8:: of six"]],
	["PreferDualStack", "no", [], false, []],
])(
	"with %s and pools of %s addresses a Service gets what its policy allows",
	(policy, _which, pools, ok, addresses) => {
		const result = new Allocator(pools).allocate(
			service("a", { ...both, policy }),
		);
		expect(result.ok).toBe(ok);
		expect(held(result)).toEqual(addresses);
		expect(result.reasons.length > 0).toBe(addresses.length < 2);
	},
);

test("who prefers both gets the second as soon as there is one", () => {
	const allocator = new Allocator([four]);
	allocator.allocate(service("a", { ...both, policy: "PreferDualStack" }));
	expect(allocator.setPools([four, six]).wake).toEqual(["a"]);
	expect(held({ addresses: allocator.addressesOf("a") })).toEqual([
		"10.0.0.0 of four",
		"2001:db8:: of six",
	]);
});

test("a second family is added beside the first, and given up when it is no longer wanted", () => {
	const allocator = new Allocator([four, six]);
	allocator.allocate(service("a"));
	const added = allocator.allocate(
		service("a", { ...both, policy: "RequireDualStack" }),
	);
	expect(held(added)).toEqual(["10.0.0.0 of four", "2001:db8:: of six"]);
	const removed = allocator.allocate(service("a"));
	expect(held(removed)).toEqual(["10.0.0.0 of four"]);
	expect(removed.freed).toEqual([
		{ ip: "2001:db8::", family: "IPv6", pool: "six" },
	]);
});

test("a second family that cannot be had takes nothing away from the first", () => {
	const allocator = new Allocator([four]);
	allocator.allocate(service("a"));
	const result = allocator.allocate(
		service("a", { ...both, policy: "RequireDualStack" }),
	);
	expect(result).toMatchObject({ ok: false });
	expect(held(result)).toEqual(["10.0.0.0 of four"]);
	expect(said(result)).toEqual(["pool four: no IPv6 addresses"]);
});

test("who must have both keeps nobody from the one family that is there", () => {
	const allocator = new Allocator([four]);
	allocator.allocate(service("a", { ...both, policy: "RequireDualStack" }));
	expect(held(allocator.allocate(service("b")))).toEqual(["10.0.0.0 of four"]);
});
