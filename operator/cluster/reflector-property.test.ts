import fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakeKube, unreachable } from "../../test/support/fake-kube.ts";
import type { FakeWatch } from "../../test/support/fake-watch.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import {
	follow,
	inStream,
	named,
	type Thing,
} from "../../test/support/reflector-world.ts";
import type { KubeObject } from "../api/meta.ts";
import { FairleadError } from "../errors.ts";
import { Store } from "./index.ts";
import { resources } from "./kube.ts";
import { Reflector } from "./reflector.ts";

describe("whatever happens", () => {
	const name = fc.constantFrom("a", "b", "c", "d");
	const step = fc.oneof(
		{ weight: 8, arbitrary: fc.record({ do: fc.constant("set"), name }) },
		{ weight: 5, arbitrary: fc.record({ do: fc.constant("unset"), name }) },
		{ weight: 2, arbitrary: fc.record({ do: fc.constant("recreate"), name }) },
		{ weight: 2, arbitrary: fc.record({ do: fc.constant("write"), name }) },
		{
			weight: 4,
			arbitrary: fc.record({ do: fc.constantFrom("hold", "release") }),
		},
		{
			weight: 6,
			arbitrary: fc.record({
				do: fc.constantFrom(
					"late answers arrive",
					"elsewhere",
					"bookmark",
					"cut",
					"end",
					"in-stream 500",
					"in-stream 410",
					"compact",
					"mute",
					"down",
					"429",
					"500",
					"garbage",
					"tokens expire",
					"gone in stream",
					"start over",
				),
			}),
		},
		{
			weight: 4,
			arbitrary: fc.record({
				do: fc.constant("wait"),
				ms: fc.constantFrom(0, 1, 300, 5000, 200_000),
			}),
		},
	);
	type Step = { do: string; name?: string; ms?: number };

	test("once faults stop, the cache and what consumers were told equal the server", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(step, { maxLength: 60, size: "max" }),
				fc.constantFrom("known", "refused", "ignored", "silent"),
				fc.infiniteStream(fc.double({ min: 0.1, max: 0.999, noNaN: true })),
				async (steps: Step[], watchList, chance) => {
					const clock = new FakeClock();
					const log = quietLog();
					const kube = new FakeKube(clock, 1_000_000);
					kube.watchList = watchList as FakeKube["watchList"];
					const store = new Store<Thing>({ clock, log });
					const view = new Map<string, string>();
					const misfits: unknown[] = [];
					store.onChange((change) => {
						if (!follow(view, change)) misfits.push(change);
					});
					const random = () => chance.next().value as number;
					const reflector = new Reflector<Thing>({
						client: kube,
						resource: resources.services,
						store,
						clock,
						random,
						log,
						tuning: { pageSize: 2 },
					});
					reflector.start();
					// As real servers do; two silences in a row would be answered by a list that repairs everything.
					const bookmarks = () => {
						clock.after(60_000, () => {
							kube.bookmark();
							bookmarks();
						});
					};
					bookmarks();
					const late: Thing[] = [];
					for (const next of steps)
						await take(next, kube, store, clock, late, random);
					kube.before = () => {};
					kube.tokensExpire = false;
					for (const watch of kube.watches) watch.release(jumble(random));
					for (const answer of late) store.apply(answer);
					await clock.advance(600_000);
					const cached = new Map(
						[...store.values()].map((o) => [o.metadata.name, stamp(o)]),
					);
					const real = new Map(
						[...kube.objects.values()].map((o) => [o.metadata.name, stamp(o)]),
					);
					const health = reflector.healthy();
					await reflector.stop();
					expect(misfits).toEqual([]);
					expect(sorted(cached)).toEqual(sorted(real));
					expect(sorted(view)).toEqual(sorted(real));
					expect(health.ok).toBe(true);
				},
			),
			{ numRuns: 300 },
		);
	}, 120_000);

	const stamp = (o: KubeObject) =>
		`${o.metadata.uid}@${o.metadata.resourceVersion}`;
	const sorted = (map: Map<string, string>) =>
		[...map].sort(([a], [b]) => (a < b ? -1 : 1));

	/** In any order, and some of it twice; what ends the stream stays last, or the rest would be lost, not late. */
	const jumble =
		(random: () => number) =>
		<E extends { type: string }>(batch: E[]): E[] =>
			[...batch, ...batch.filter(() => random() < 0.4)]
				.map((event) => ({ event, at: event.type === "ERROR" ? 1 : random() }))
				.sort((a, b) => a.at - b.at)
				.map(({ event }) => event);

	async function take(
		next: Step,
		kube: FakeKube,
		store: Store<Thing>,
		clock: FakeClock,
		late: Thing[],
		random: () => number,
	): Promise<void> {
		const key = `ns/${next.name}`;
		const each = (act: (watch: FakeWatch) => void) => kube.watches.forEach(act);
		const failing = (error: () => Error) => {
			let left = Math.ceil(random() * 5);
			kube.before = () => {
				if (left-- > 0) throw error();
			};
		};
		switch (next.do) {
			case "set":
				kube.set(named(next.name as string));
				break;
			case "unset":
				kube.unset(key);
				break;
			case "recreate":
				kube.unset(key);
				kube.set(named(next.name as string));
				break;
			case "write": {
				// Our own write: its answer comes at once, or late.
				const answer = kube.set(named(next.name as string));
				if (random() < 0.5) store.apply(answer);
				else late.push(answer);
				break;
			}
			case "late answers arrive":
				for (const answer of late.splice(0)) store.apply(answer);
				break;
			case "elsewhere":
				kube.elsewhere();
				break;
			case "bookmark":
				kube.bookmark();
				break;
			case "cut":
				kube.cut();
				break;
			case "end":
				each((watch) => watch.end());
				break;
			case "in-stream 500":
				each((watch) => watch.push(inStream(500)));
				break;
			case "in-stream 410":
				each((watch) => watch.push(inStream(410)));
				break;
			case "compact":
				kube.compact();
				break;
			case "mute":
				each((watch) => {
					watch.muted = true;
				});
				break;
			case "hold":
				each((watch) => watch.hold());
				break;
			case "release":
				each((watch) => watch.release(jumble(random)));
				break;
			case "down":
				failing(unreachable);
				kube.cut();
				break;
			case "429":
				failing(
					() =>
						new FairleadError("KubeTooManyRequests", "slow down", {
							retryAfterMs: 7000,
						}),
				);
				break;
			case "500":
				failing(() => new FairleadError("KubeServerError", "sick"));
				break;
			case "garbage":
				kube.cut(new FairleadError("KubeBadAnswer", "a line is not JSON"));
				break;
			case "tokens expire":
				kube.tokensExpire = true;
				break;
			case "gone in stream":
				kube.goneInStream = true;
				break;
			case "start over":
				late.length = 0;
				kube.cut();
				kube.startOver(Math.floor(kube.version / 2));
				break;
			case "wait":
				await clock.advance(next.ms as number);
				break;
		}
	}
});
