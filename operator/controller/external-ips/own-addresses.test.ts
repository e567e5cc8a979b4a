import { pool } from "../../../test/support/address-requests.ts";
import { parsePoolEntry } from "../../model/addresses/cidr.ts";
import { withoutOwn } from "./own-addresses.ts";

const node = parsePoolEntry("192.0.2.9/32");
const own = node.ok ? [node.value] : [];
const sizes = (uses: ("LoadBalancer" | "ExternalIP")[]) =>
	withoutOwn([pool("a", "192.0.2.8/30", { uses })], own)[0]?.intervals.IPv4
		.length;

test("a pool for external IPs alone does not hand out the cluster's own addresses", () => {
	expect(sizes(["ExternalIP"])).toBe(2);
});

test.each([
	[["LoadBalancer" as const]],
	[["LoadBalancer" as const, "ExternalIP" as const]],
])(
	"a pool for %j hands them out: a balancer at a node's address is somebody's plan",
	(uses) => {
		expect(sizes(uses)).toBe(1);
	},
);
