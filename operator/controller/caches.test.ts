import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakeKube } from "../../test/support/fake-kube.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { FairleadError } from "../errors.ts";
import { Caches } from "./caches.ts";

describe("a controller whose ClusterRole is older than itself", () => {
	it.each([
		["addressreservations", false, "addressreservations.fairlead.dev"],
		["nodeportpools", false, "nodeportpools.fairlead.dev"],
		["externalippolicies", true, "externalippolicies.fairlead.dev"],
		["servicecidrs", false, "servicecidrs.networking.k8s.io"],
		["addresspools", false, "addresspools.fairlead.dev"],
		["leases", false, "leases.coordination.k8s.io"],
		["services", false, "services"],
	])(
		"and that may not read %s, begins: %s; and says that it wants list and watch on %s",
		async (kind, begins, granted) => {
			const clock = new FakeClock();
			const kube = new FakeKube(clock);
			kube.before = ({ resource }) => {
				if (resource === kind)
					throw new FairleadError("KubeForbidden", "it is forbidden");
			};
			const caches = new Caches({
				client: kube,
				namespace: "fairlead-system",
				clock,
				random: () => 0.5,
				log: quietLog(),
			});
			let synced = false;
			void caches.refresh().then(() => {
				synced = true;
			});
			caches.start();
			await clock.advance(60_000);
			expect({ synced, problems: caches.problems() }).toEqual({
				synced: begins,
				problems: [
					`${kind}: it is forbidden (403); grant list and watch on ${granted}`,
				],
			});
			await caches.stop();
		},
	);
});
