import type { Pod } from "../../operator/api/core.ts";
import { type KubeClient, resources } from "../../operator/cluster/kube.ts";
import { Store } from "../../operator/cluster/index.ts";
import { FairleadError } from "../../operator/errors.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakeKube } from "../../test/support/fake-kube.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { Creations } from "./creations.ts";
import { Deletions } from "./deletions.ts";
import { pod } from "./test-samples.ts";

const clock = new FakeClock();

function world(client: KubeClient) {
	const store = new Store<Pod>({ clock, log: quietLog() });
	const creations = new Creations(client, resources.pods, store, Math.random);
	const wanted = pod("", { owner: "web-1" });
	delete wanted.metadata.uid;
	wanted.metadata.generateName = "web-1-";
	return { store, creations, wanted };
}

test("what was created is in the cache at once, under a name of its own", async () => {
	const { store, creations, wanted } = world(new FakeKube(clock));
	const [a, b] = [
		await creations.create("set", wanted),
		await creations.create("set", wanted),
	];
	expect(store.size).toBe(2);
	expect(a.metadata.name).toMatch(/^web-1-[b-z0-9]{5}$/);
	expect(a.metadata.name).not.toBe(b.metadata.name);
});

test("what was made though the answer was lost is found before more is made", async () => {
	const kube = new FakeKube(clock);
	const { store, creations, wanted } = world(kube);
	kube.after = ({ verb }) => {
		if (verb === "create")
			throw new FairleadError("KubeUnreachable", "the answer was lost");
	};
	await expect(creations.create("set", wanted)).rejects.toThrow("lost");
	expect(store.size).toBe(0);
	await creations.settle("another");
	expect(store.size).toBe(0);
	await creations.settle("set");
	expect([...store.keys()]).toEqual([...kube.objects.keys()]);
});

test("nothing more is made while nobody can tell what was", async () => {
	const kube = new FakeKube(clock);
	const { store, creations, wanted } = world(kube);
	const down = () => {
		throw new FairleadError("KubeUnreachable", "nobody answers");
	};
	kube.before = down;
	await expect(creations.create("set", wanted)).rejects.toThrow("nobody");
	await expect(creations.settle("set")).rejects.toThrow("nobody");
	kube.before = () => {};
	await creations.settle("set");
	expect(store.size).toBe(0);
});

test("what was refused is not looked for", async () => {
	const kube = new FakeKube(clock);
	const { creations, wanted } = world(kube);
	kube.before = () => {
		throw new FairleadError("KubeForbidden", "quota");
	};
	await expect(creations.create("set", wanted)).rejects.toThrow("quota");
	kube.calls.length = 0;
	await creations.settle("set");
	expect(kube.calls).toEqual([]);
});

describe("a deletion", () => {
	async function deleted() {
		const kube = new FakeKube(clock);
		const store = new Store<Pod>({ clock, log: quietLog() });
		const present = kube.set(pod("p"));
		store.put(present);
		const deletions = new Deletions(kube, resources.pods, store);
		return { kube, store, present, deletions };
	}

	test("is remembered until the cache knows", async () => {
		const { kube, store, present, deletions } = await deleted();
		await deletions.delete(present);
		expect(kube.objects.size).toBe(0);
		expect(deletions.includes(present)).toBe(true);
		store.remove({
			...present,
			metadata: { ...present.metadata, resourceVersion: "9999" },
		});
		expect(deletions.includes(present)).toBe(false);
	});

	test("that was refused is none", async () => {
		const { kube, present, deletions } = await deleted();
		kube.before = () => {
			throw new FairleadError("KubeForbidden", "no");
		};
		await expect(deletions.delete(present)).rejects.toThrow("no");
		expect(deletions.includes(present)).toBe(false);
	});

	test("of what is gone already is done", async () => {
		const { kube, present, deletions } = await deleted();
		kube.unset("shop/p");
		await deletions.delete(present);
	});

	test("spares another object of the same name", async () => {
		const { kube, present, deletions } = await deleted();
		kube.unset("shop/p");
		kube.set({ ...pod("p"), metadata: { ...pod("p").metadata, uid: "new" } });
		await deletions.delete(present);
		expect(kube.objects.size).toBe(1);
	});
});
