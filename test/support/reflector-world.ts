import type { KubeObject } from "../../operator/api/meta.ts";
import { type Change, Store } from "../../operator/cluster/index.ts";
import { resources, type Status } from "../../operator/cluster/kube.ts";
import {
	Reflector,
	type ReflectorOptions,
} from "../../operator/cluster/reflector.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeKube } from "./fake-kube.ts";
import type { FakeWatch } from "./fake-watch.ts";
import { quietLog } from "./quiet-log.ts";

/** An object to watch; `noise` is trimmed. */
export interface Thing extends KubeObject {
	color?: string;
	noise?: string;
}

/** The reflectors set up, by tests too. */
export const running: Reflector<Thing>[] = [];
const misfits: Change<Thing>[] = [];

/** For `afterEach`: stops every reflector; fails when a change did not fit the ones before it. */
export async function tearDown(): Promise<void> {
	for (const reflector of running.splice(0)) await reflector.stop();
	expect(misfits.splice(0)).toEqual([]);
}

/** A reflector on an API server in memory, and a consumer that checks that each change fits the ones before. */
export function setup(
	tuning: ReflectorOptions<Thing>["tuning"] = {},
	optional = false,
	dispensable = false,
	eager = false,
) {
	const clock = new FakeClock();
	const log = quietLog();
	const kube = new FakeKube(clock);
	const trim = ({ metadata, color }: Thing): Thing =>
		color === undefined ? { metadata } : { metadata, color };
	const store = new Store<Thing>({ clock, log, trim });
	const view = new Map<string, string>();
	const told: string[] = [];
	store.onChange((change) => {
		told.push(`${change.type} ${change.object.metadata.name}`);
		if (!follow(view, change)) misfits.push(change);
	});
	const reflector = new Reflector<Thing>({
		client: kube,
		resource: resources.services,
		store,
		clock,
		random: () => 0.5,
		log,
		optional,
		dispensable,
		eager,
		tuning,
	});
	running.push(reflector);
	return { clock, log, kube, store, view, told, reflector };
}

/** What a consumer knows that hears of changes only; false when a change does not fit what came before. */
export function follow(
	view: Map<string, string>,
	change: Change<Thing>,
): boolean {
	const { name, uid, resourceVersion } = change.object.metadata;
	const known = view.get(name);
	const now = `${uid}@${resourceVersion}`;
	if (change.type === "deleted") return known === now && view.delete(name);
	view.set(name, now);
	if (change.type === "added") return known === undefined;
	return known === `${uid}@${change.old.metadata.resourceVersion}`;
}

export async function synced(world: ReturnType<typeof setup>): Promise<void> {
	world.reflector.start();
	await world.clock.advance(0);
	await world.reflector.synced;
}

export const named = (name: string, color?: string): Thing => ({
	metadata: { name, namespace: "ns" },
	...(color === undefined ? {} : { color }),
});

export const names = (store: Store<Thing>) =>
	[...store.values()].map((object) => object.metadata.name).sort();
export const only = (kube: FakeKube) => [...kube.watches][0] as FakeWatch;
export const verbs = (kube: FakeKube) => kube.calls.map((call) => call.verb);
export const inStream = (code: number, more: Partial<Status> = {}) => [
	{
		type: "ERROR" as const,
		object: { kind: "Status" as const, code, message: "no", ...more },
	},
];
