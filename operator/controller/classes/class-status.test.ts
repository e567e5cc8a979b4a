import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import type { BalancerClass } from "../../api/fairlead.ts";
import type { KubeClient } from "../../cluster/kube.ts";
import { FairleadError } from "../../errors.ts";
import type { Provider } from "../../providers/provider.ts";
import { Caches } from "../caches.ts";
import { readToken } from "../provider-registry.ts";
import { ClassStatus } from "./class-status.ts";

const token = { data: { token: Buffer.from("secret").toString("base64") } };
const refused = new FairleadError("KubeForbidden", "secrets is forbidden");
const tokenSecretRef = { namespace: "shop", name: "hcloud" };

/** A class in a cluster, and what is said of it. */
function setUp() {
	const clock = new FakeClock();
	const log = quietLog();
	const common = { clock, random: () => 0, log };
	let version = 1;
	let mayRead = true;
	const said: string[] = [];
	const client = {
		get: async () => {
			if (!mayRead) throw refused;
			return token;
		},
		patch: async (_resource, _ref, { body }) => {
			const { status } = body as Pick<BalancerClass, "status">;
			const [ready] = status?.conditions ?? [];
			said.push(`${ready?.status}/${ready?.reason}: ${ready?.message}`);
			return {
				...caches.classes.get("cloud"),
				metadata: { name: "cloud", resourceVersion: String(++version) },
				status,
			};
		},
	} as Partial<KubeClient> as KubeClient;
	const caches = new Caches({ ...common, client, namespace: "fairlead" });
	caches.classes.put({
		metadata: { name: "cloud", resourceVersion: "1" },
		spec: { provider: "HetznerCloud", hetznerCloud: { tokenSecretRef } },
	});
	const status = new ClassStatus({
		...common,
		client,
		caches,
		checkToken: async () => {
			await readToken(tokenSecretRef, client);
		},
	});
	let works = true;
	const provider = status.watching("cloud", {
		list: async () => {
			if (works) return [];
			throw new FairleadError("CloudUnreachable", "connection refused");
		},
	} as Partial<Provider> as Provider);
	const call = async (answer: "works" | "fails") => {
		works = answer === "works";
		await provider.list("c1", AbortSignal.any([])).catch(() => {});
	};
	return {
		clock,
		status,
		said,
		call,
		setMayRead: (value: boolean) => {
			mayRead = value;
		},
	};
}

const ready = "True/Ready: Services may use it";
const unreachable = "False/CloudUnreachable: connection refused";

describe("condition Ready of a BalancerClass", () => {
	it("is false where the controller may not read the token's Secret, and true once it may", async () => {
		const { clock, status, said, setMayRead } = setUp();
		setMayRead(false);
		status.changed("cloud");
		await clock.advance(1_000);
		expect(said).toEqual([
			"False/CloudTokenMissing: Secret shop/hcloud with the cloud's token may not be read: RBAC does not let this controller; list it in the chart's value tokenSecrets, or grant get on it",
		]);
		setMayRead(true);
		await clock.advance(30_000);
		expect(said[1]).toBe(ready);
		setMayRead(false);
		status.changed("cloud");
		await clock.advance(1_000);
		expect(said[2]).toMatch(/^False\/CloudTokenMissing/);
	});

	it("stays false while one call of a cloud works and the next does not", async () => {
		const { clock, said, call } = setUp();
		for (let second = 0; second < 60; second++) {
			await call(second % 5 === 0 ? "fails" : "works");
			await clock.advance(1_000);
		}
		expect(said).toEqual([unreachable]);
	});

	it("is true again when calls have worked for ten seconds, be it a single one", async () => {
		const { clock, said, call } = setUp();
		await call("fails");
		await clock.advance(60_000);
		expect(said).toEqual([unreachable]);
		await call("works");
		await clock.advance(9_000);
		expect(said).toEqual([unreachable]);
		await clock.advance(2_000);
		expect(said).toEqual([unreachable, ready]);
	});
});
