import fc from "fast-check";
import type { LoadBalancerIngress } from "../api/core.ts";
import { shownIngress } from "./ingress.ts";

describe("ingress, while nodes take addresses into their rules,", () => {
	const ingress = fc
		.uniqueArray(fc.nat(8), { maxLength: 4 })
		.map((hosts) =>
			hosts.map((host): LoadBalancerIngress => ({ ip: `192.0.2.${host}` })),
		);
	const ips = (list: LoadBalancerIngress[]) => list.map(({ ip }) => ip);

	it("shows nothing that was not shown before, and hides nothing that still is the Service's", () => {
		fc.assert(
			fc.property(ingress, ingress, (wanted, before) => {
				const shown = ips(shownIngress(wanted, before, false));
				expect(shown).toEqual(
					ips(wanted).filter((ip) => ips(before).includes(ip)),
				);
			}),
		);
	});

	it("is what is wanted as soon as they have it", () => {
		fc.assert(
			fc.property(ingress, ingress, (wanted, before) => {
				expect(shownIngress(wanted, before, true)).toBe(wanted);
			}),
		);
	});

	it("tells at once which ports of a shown address are refused", () => {
		const ports = [{ port: 80, protocol: "TCP" as const, error: "NoRoom" }];
		expect(
			shownIngress([{ ip: "192.0.2.1", ports }], [{ ip: "192.0.2.1" }], false),
		).toEqual([{ ip: "192.0.2.1", ports }]);
	});
});
