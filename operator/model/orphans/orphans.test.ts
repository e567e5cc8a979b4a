import fc from "fast-check";
import type { ListedBalancer } from "../balancer/balancer.ts";
import { balancerIdentity } from "../balancer/identity.ts";
import {
	balancerKey,
	findOrphans,
	judgeOrphans,
	type Listed,
	type OrphanPolicy,
} from "./orphans.ts";

const hour = 3_600_000;
const now = 1_000 * hour;
const deleting: OrphanPolicy = {
	delete: true,
	explicitClusterId: true,
	graceMs: hour,
	confirmed: 0,
};

function balancer(
	id: number,
	uid: string,
	change: Partial<ListedBalancer> = {},
): ListedBalancer {
	return {
		identity: balancerIdentity("c1", uid),
		id: String(id),
		service: { namespace: "shop", name: uid },
		addresses: [`203.0.113.${id}`],
		createdAt: now - 2 * hour,
		protected: false,
		...change,
	};
}

const list = (
	source: string,
	className: string,
	...balancers: ListedBalancer[]
): Listed => ({ source, classes: [className], balancers });

const heldBy = (className: string | undefined, ...uids: string[]) =>
	uids.map((uid) => ({ uid, className }));

describe("orphans", () => {
	it.each([
		[
			"a balancer whose Service is there is none",
			[list("p", "a", balancer(1, "u1"))],
			heldBy("a", "u1"),
			[],
		],
		[
			"a balancer whose Service is gone is one",
			[list("p", "a", balancer(1, "u1"), balancer(2, "u2"))],
			heldBy("a", "u1"),
			["2"],
		],
		[
			"a balancer of one class is none because another class of the same project lists it too",
			[
				list("token 1", "a", balancer(1, "u1")),
				list("token 2", "b", balancer(1, "u1")),
			],
			heldBy("a", "u1"),
			[],
		],
		[
			"one that both tokens of a project show is one, once",
			[
				list("token 1", "a", balancer(1, "u1")),
				list("token 2", "b", balancer(1, "u1")),
			],
			[],
			["1"],
		],
		[
			"what a Service left behind in another cloud when it changed its class is one, though the ids are the same",
			[
				list("cloud 1", "a", balancer(1, "u1", { createdAt: now - 5 * hour })),
				list("cloud 2", "b", balancer(1, "u1")),
			],
			heldBy("b", "u1"),
			["1"],
		],
		[
			"what is left behind is none while the Service has nothing yet where it belongs",
			[list("cloud 1", "a", balancer(1, "u1")), list("cloud 2", "b")],
			heldBy("b", "u1"),
			[],
		],
		[
			"nor while the list of the class that has it could not be read",
			[list("cloud 1", "a", balancer(1, "u1"))],
			heldBy("b", "u1"),
			[],
		],
		[
			"nor while nobody knows which class has it",
			[
				list("cloud 1", "a", balancer(1, "u1")),
				list("cloud 2", "b", balancer(9, "u1")),
			],
			heldBy(undefined, "u1"),
			[],
		],
	])("%s", (_, lists, holders, ids) => {
		expect(findOrphans(lists, holders).map((each) => each.balancer.id)).toEqual(
			ids,
		);
	});

	it("never include a balancer of a Service that lives and has recorded the class that lists it", () => {
		fc.assert(
			fc.property(
				fc.array(
					fc.record({
						uid: fc.integer({ min: 1, max: 8 }),
						source: fc.integer({ min: 0, max: 2 }),
					}),
					{ maxLength: 20 },
				),
				fc.uniqueArray(fc.integer({ min: 1, max: 8 })),
				(made, alive) => {
					const lists = [0, 1, 2].map((source) =>
						list(
							`s${source}`,
							`c${source}`,
							...made
								.map((each, at) => ({ ...each, at }))
								.filter((each) => each.source === source)
								.map(({ uid, at }) => balancer(at, `u${uid}`)),
						),
					);
					const holders = alive.map((uid) => ({
						uid: `u${uid}`,
						className: `c${uid % 3}`,
					}));
					for (const { source, balancer: found } of findOrphans(
						lists,
						holders,
					)) {
						const { serviceUid } = found.identity;
						const service = holders.find(({ uid }) => uid === serviceUid);
						expect(service?.className).not.toBe(source.replace("s", "c"));
					}
				},
			),
		);
	});
});

describe("what becomes of an orphan", () => {
	const judgeOne = (
		change: Partial<ListedBalancer>,
		policy: Partial<OrphanPolicy> = {},
		knownFor: number | undefined = 2 * hour,
	) => {
		const lists = [list("p", "a", balancer(1, "u1", change))];
		return judgeOrphans({
			orphans: findOrphans(lists, []),
			lists,
			clusterId: "c1",
			policy: { ...deleting, ...policy },
			now,
			knownFor: () => knownFor,
		})[0];
	};

	it.each([
		["it is deleted when everything allows it", {}, {}, 2 * hour, "delete", ""],
		[
			"it is only named by default",
			{},
			{ delete: false },
			2 * hour,
			"keep",
			"--delete-orphans",
		],
		[
			"it is left alone while the cluster's id is guessed",
			{},
			{ explicitClusterId: false },
			2 * hour,
			"keep",
			"--cluster-id",
		],
		[
			"it waits when it was never seen as one before",
			{},
			{},
			undefined,
			"wait",
			"--orphan-grace",
		],
		[
			"it waits while it has not been one for long enough",
			{},
			{},
			hour - 1,
			"wait",
			"--orphan-grace",
		],
		[
			"it waits while it is young, however long it is known",
			{ createdAt: now - hour + 1 },
			{},
			2 * hour,
			"wait",
			"--orphan-grace",
		],
		[
			"it is left alone when it is protected",
			{ protected: true },
			{},
			2 * hour,
			"keep",
			"protected",
		],
		[
			"it is left alone when somebody renamed it",
			{ identity: { ...balancerIdentity("c1", "u1"), name: "mine" } },
			{},
			2 * hour,
			"keep",
			"renamed",
		],
	] as const)("%s", (_, change, policy, knownFor, what, say) => {
		const judged = judgeOrphans({
			...judging(change, policy),
			knownFor: () => knownFor,
		})[0];
		expect(judged).toMatchObject({ do: what });
		expect(judged?.say).toContain(say);
	});

	function judging(
		change: Partial<ListedBalancer>,
		policy: Partial<OrphanPolicy>,
	) {
		const lists = [list("p", "a", balancer(1, "u1", change))];
		return {
			orphans: findOrphans(lists, []),
			lists,
			clusterId: "c1",
			policy: { ...deleting, ...policy },
			now,
		};
	}

	it("is left to a person when two balancers carry the same labels", () => {
		const lists = [list("p", "a", balancer(1, "u1"), balancer(2, "u1"))];
		const judged = judgeOrphans({
			...judging({}, {}),
			lists,
			orphans: findOrphans(lists, []),
			knownFor: () => 2 * hour,
		});
		expect(judged.map((each) => each.do)).toEqual(["keep", "keep"]);
		expect(judgeOne({})?.do).toBe("delete");
	});

	it.each([
		["3 of 3 are few", 3, 3, 0, 3],
		["4 of 4 look like a mistake", 4, 4, 0, 0],
		["4 of 40 are a tenth", 4, 40, 0, 4],
		["5 of 40 are more than a tenth", 5, 40, 0, 0],
		["5 of 5 are deleted once somebody confirmed 5", 5, 5, 5, 5],
		["6 of 6 are not when somebody confirmed 5", 6, 6, 5, 0],
	])(
		"depends on how many there are: %s",
		(_, orphans, all, confirmed, deleted) => {
			const uids = Array.from({ length: all }, (_each, at) => `u${at}`);
			const lists = [
				list("p", "a", ...uids.map((uid, at) => balancer(at, uid))),
			];
			const judged = judgeOrphans({
				orphans: findOrphans(lists, heldBy("a", ...uids.slice(orphans))),
				lists,
				clusterId: "c1",
				policy: { ...deleting, confirmed },
				now,
				knownFor: () => 2 * hour,
			});
			expect(judged.filter((each) => each.do === "delete")).toHaveLength(
				deleted,
			);
			if (deleted === 0)
				expect(judged[0]?.say).toContain(`--confirm-orphans=${orphans}`);
		},
	);

	it("is kept apart from a namesake elsewhere by what its cloud says of it", () => {
		const one = balancer(1, "u1");
		expect(balancerKey(one)).not.toBe(
			balancerKey({ ...one, createdAt: one.createdAt + 1 }),
		);
	});
});
