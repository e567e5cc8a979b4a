import { jest } from "@jest/globals";
import fc from "fast-check";
import { RulesWriter } from "../../operator/agent/rules/rules-writer.ts";
import {
	NETLINK_NETFILTER,
	NetlinkSocket,
} from "../../operator/kernel/netlink.ts";
import { netlinkMessage } from "../../operator/kernel/netlink-message.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import { compile } from "../../operator/model/rules/compile.ts";
import { RulesCompiler } from "../../operator/model/rules/compiler.ts";
import { isEmpty } from "../../operator/model/rules/program-change.ts";
import type { Program } from "../../operator/model/rules/program.ts";
import { essenceOf, nftIn } from "../support/nft-listing.ts";
import {
	answersTo,
	heardOf,
	packetFrom,
	places,
} from "../support/packet-oracle.ts";
import {
	createPacketWorld,
	type PacketWorld,
} from "../support/packet-world.ts";
import { HistoryEnd, histories } from "../support/rules-histories.ts";

// A ceiling for a machine that is busy with other things: half a minute on a quiet one.
jest.setTimeout(600_000);

let world: PacketWorld;

beforeAll(async () => {
	world = await createPacketWorld();
});

afterAll(async () => {
	await world?.close();
});

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = 2;

/** What one history left is nothing to the next; and with no flow to look at, a change costs less. */
function forgetFlows(socket: NetlinkSocket): void {
	socket.request(
		netlinkMessage(
			(NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
			0,
			Buffer.alloc(4),
		),
		"forget all flows",
	);
}

const HISTORIES = 500;
/** Packets asked of the kernel at the end of each history. */
const SAMPLE = 4;

test("500 random histories, synced change by change, end in the rules that a full sync writes from nothing, and in the same packets", async () => {
	const node = world.namespaceOf("node");
	const stepwise = new RulesWriter(new NftablesBackend(node));
	const atOnce = new NftablesBackend(node, { table: "at-once" });
	const conntrack = new NetlinkSocket(node, NETLINK_NETFILTER);
	const met = new Map<string, number>();
	let changes = 0;
	try {
		await fc.assert(
			fc.asyncProperty(
				histories(world),
				fc.array(fc.nat(), { minLength: SAMPLE, maxLength: SAMPLE }),
				async ({ node: described, batches }, draws) => {
					const compiler = new RulesCompiler(described);
					const end = new HistoryEnd(described);
					compiler.take();
					stepwise.replace(compiler.program);
					for (const batch of batches) {
						for (const step of batch) end.take(step, compiler);
						const change = compiler.take();
						if (isEmpty(change)) continue;
						stepwise.write(change, compiler.program);
						changes++;
					}
					expect(stepwise.refused).toEqual(new Map());
					expect(stepwise.drift()).toBeUndefined();
					const { program } = compile({
						services: end.services.values(),
						slices: end.slices.values(),
						node: end.node,
					});
					atOnce.replace(program);
					const listing = nftIn(node, "-j", "list", "ruleset");
					// Packets meet the one that was written step by step.
					atOnce.remove();
					expect(essenceOf(listing, "fairlead")).toEqual(
						essenceOf(listing, "at-once"),
					);
					for (const draw of draws) await askOne(program, draw);
					forgetFlows(conntrack);
				},
			),
			// The same histories every time: whoever changes the rules compares like with like. Shrinking is for whoever looks at a failure.
			{ numRuns: HISTORIES, seed: 1, endOnFailure: true },
		);
	} finally {
		conntrack.close();
		stepwise.close();
		atOnce.close();
	}
	// A property that never met a case says nothing about it.
	expect(changes).toBeGreaterThan(HISTORIES);
	expect([...met.keys()].sort()).toEqual(["answered", "refused", "silence"]);

	/** Asks one packet of the kernel, if the program serves anything, and compares with the model. */
	async function askOne(program: Program, draw: number): Promise<void> {
		const frontends = [...program.frontends.values()].filter(
			({ protocol }) => protocol !== "SCTP",
		);
		const frontend = frontends[draw % frontends.length];
		const from = places[draw % places.length];
		if (!frontend || !from || frontend.protocol === "SCTP") return;
		const packet = packetFrom(world, program, from, frontend);
		const expected = answersTo(world, program, from, packet);
		const { protocol, address, port } = frontend;
		const answer = await heardOf(
			world,
			world.ask(from, protocol, address, port),
			expected.includes("silence") ? "expected" : "unexpected",
		);
		const what = `${from} -> ${address} ${protocol} ${port}`;
		expect({ what, answer, expected }).toEqual({
			what,
			answer: expected.find(
				(each) => JSON.stringify(each) === JSON.stringify(answer),
			),
			expected,
		});
		const kind = typeof answer === "string" ? answer : "answered";
		met.set(kind, (met.get(kind) ?? 0) + 1);
	}
});
