import fc from "fast-check";
import type { EndpointSlice, Service } from "../api/core.ts";
import type { Store } from "../cluster/index.ts";
import { service, slice, storesOf } from "../../test/support/dns-world.ts";
import { ServiceIndex } from "./service-index.ts";

const keys = ["default/a", "default/b", "shop/a"];
const addresses = ["10.0.0.1", "10.0.0.2", "fd00::1"];
const someKey = fc.constantFrom(...keys);
const someAddress = fc.constantFrom(...addresses);

const someService = fc
	.tuple(
		someKey,
		fc.constantFrom("None", ...addresses),
		fc.boolean(),
		fc.array(someAddress, { maxLength: 2 }),
	)
	.map(
		([key, clusterIP, publishNotReadyAddresses, ips]) =>
			() =>
				service(
					key,
					{ clusterIP, publishNotReadyAddresses, ports: [{ port: 80 }] },
					{ loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
				),
	);
const someSlice = fc
	.tuple(
		someKey,
		fc.constantFrom("x", "y"),
		fc.array(
			fc.record(
				{
					addresses: someAddress.map((one) => [one]),
					conditions: fc.record({ ready: fc.boolean() }),
					hostname: fc.constantFrom("h"),
				},
				{ requiredKeys: ["addresses"] },
			),
			{ maxLength: 3 },
		),
		// The same slice may pass from one Service to another.
		fc.boolean(),
	)
	.map(([key, suffix, endpoints, elsewhere]) => () => {
		const made = slice(key, endpoints, undefined, suffix);
		if (elsewhere) made.metadata.labels = { "kubernetes.io/service-name": "b" };
		return made;
	});

type Step =
	| { store: "services"; object: () => Service; remove: boolean }
	| { store: "endpointSlices"; object: () => EndpointSlice; remove: boolean };

const steps: fc.Arbitrary<Step[]> = fc.array(
	fc.oneof(
		fc.record({
			store: fc.constant("services" as const),
			object: someService,
			remove: fc.boolean(),
		}),
		fc.record({
			store: fc.constant("endpointSlices" as const),
			object: someSlice,
			remove: fc.boolean(),
		}),
	),
	{ maxLength: 25 },
);

/** All that can be asked of an index, in one value. */
function everything(index: ServiceIndex): unknown {
	return [
		keys.map((key) => {
			const [namespace = "", name = ""] = key.split("/");
			const records = index.records(namespace, name);
			return (
				records && {
					...records,
					addresses: texts(records.addresses),
					targets: records.targets
						.map(({ host, port }) => `${host} ${port}`)
						.toSorted(byText),
					endpoints: [...records.endpoints]
						.map(([host, all]) => [host, ...texts(all)].join(" "))
						.toSorted(byText),
					ports: [...records.ports.keys()],
				}
			);
		}),
		addresses.map((address) =>
			(["service", "endpoint", "ingress"] as const).map((origin) =>
				index
					.named(address, origin)
					.map((named) => JSON.stringify(named))
					.toSorted(byText),
			),
		),
	];
}

const texts = (all: { text: string }[]) =>
	all.map(({ text }) => text).toSorted(byText);

function byText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

describe("the index of Services", () => {
	it("is after any changes what it would be if it were made anew, questions in between or not", () => {
		fc.assert(
			fc.property(steps, fc.boolean(), (changes, asksBetween) => {
				const stores = storesOf();
				const index = new ServiceIndex(stores, stores.clock);
				for (const { store, object, remove } of changes) {
					const target = stores[store] as Store<Service | EndpointSlice>;
					if (remove) target.remove(object());
					else target.put(object());
					if (asksBetween) everything(index);
				}
				expect(everything(index)).toEqual(
					everything(new ServiceIndex(stores, stores.clock)),
				);
				for (const one of [...stores.services.values()])
					stores.services.remove(newer(one));
				for (const one of [...stores.endpointSlices.values()])
					stores.endpointSlices.remove(newer(one));
				expect(everything(index)).toEqual(
					everything(new ServiceIndex(storesOf(), stores.clock)),
				);
			}),
			{ numRuns: 500 },
		);
	});
});

function newer<T extends Service | EndpointSlice>(object: T): T {
	const metadata = { ...object.metadata, resourceVersion: "999999999" };
	return { ...object, metadata };
}
