import { types } from "./message.ts";
import { namespace, service, slice } from "../../test/support/dns-world.ts";
import {
	http,
	soa,
	svc,
	told,
	zone,
	zonesWorld,
} from "../../test/support/dns-zones.ts";

describe("a change in the cluster", () => {
	it("is answered at once, and raises the serial number", async () => {
		const { ask, index, stores } = zonesWorld();
		const before = index.serial;
		await stores.clock.advance(3000);
		stores.services.put(
			service("default/web", { clusterIP: "10.96.0.77", ports: [http] }),
		);
		expect(told(ask(`web.${svc}`, types.A))).toEqual([
			"NOERROR",
			`web.${svc} 5 A 10.96.0.77`,
		]);
		expect(told(ask("7.0.96.10.in-addr.arpa", types.PTR))).toContain(
			"NXDOMAIN",
		);
		expect(told(ask("77.0.96.10.in-addr.arpa", types.PTR))).toContain(
			"NOERROR",
		);
		expect(index.serial).toBe(before + 3);
	});

	it("of endpoints moves the names with the addresses", () => {
		const { ask, stores } = zonesWorld();
		stores.endpointSlices.put(slice("default/empty", ["10.244.9.9"]));
		expect(told(ask(`empty.${svc}`, types.A))).toEqual([
			"NOERROR",
			`empty.${svc} 5 A 10.244.9.9`,
		]);
		const moved = slice("default/peers", ["10.244.9.10"]);
		stores.endpointSlices.put(moved);
		expect(told(ask(`peers.${svc}`, types.A))).toEqual([
			"NOERROR",
			`peers.${svc} 5 A 10.244.9.10`,
		]);
		expect(told(ask("3.1.244.10.in-addr.arpa", types.PTR))).toContain(
			"NXDOMAIN",
		);
		stores.endpointSlices.remove({
			...moved,
			metadata: { ...moved.metadata, resourceVersion: "99999" },
		});
		expect(told(ask(`peers.${svc}`, types.A))).toEqual(["NOERROR", soa]);
	});

	it("tells an endpoint in two slices once", () => {
		const { ask, stores } = zonesWorld();
		stores.endpointSlices.put(
			slice("default/peers", ["10.244.1.3"], undefined, "b"),
		);
		expect(told(ask(`peers.${svc}`, types.A))).toHaveLength(3);
		expect(told(ask("3.1.244.10.in-addr.arpa", types.PTR))).toHaveLength(2);
	});

	it("takes a deleted Service's names away and leaves nothing behind", () => {
		const { ask, stores } = zonesWorld();
		for (const object of [...stores.services.values()])
			stores.services.remove({
				...object,
				metadata: { ...object.metadata, resourceVersion: "99999" },
			});
		expect(told(ask(`web.${svc}`, types.A))).toEqual(["NXDOMAIN", soa]);
		expect(told(ask("7.0.96.10.in-addr.arpa", types.PTR))).toContain(
			"NXDOMAIN",
		);
		expect(told(ask("3.1.244.10.in-addr.arpa", types.PTR))).toContain(
			"NXDOMAIN",
		);
	});

	it("brings a namespace to life", () => {
		const { ask, stores } = zonesWorld();
		stores.namespaces.put(namespace("new"));
		expect(told(ask(`new.svc.${zone}`, types.A))).toEqual(["NOERROR", soa]);
	});
});
