import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { jest } from "@jest/globals";
import {
	createNetworkNamespace,
	type NetworkNamespace,
} from "../../operator/kernel/namespaces.ts";
import { NftablesBackend } from "../../operator/kernel/nftables/backend.ts";
import type { Program } from "../../operator/model/rules/program.ts";
import { dyingAddress, dyingStates } from "../support/dying-states.ts";
import { essenceOf, nftIn } from "../support/nft-listing.ts";
import {
	createPacketWorld,
	type PacketWorld,
} from "../support/packet-world.ts";

// A ceiling for a machine that is busy with other things: fifteen seconds on a quiet one.
jest.setTimeout(600_000);

const writer = fileURLToPath(
	new URL("../support/dying-writer.ts", import.meta.url),
);

/** Bytes that a datagram may have where it may have few. */
const SMALL = 1 << 15;
/** Ports that are more than a few such datagrams. */
const MANY = 500;

let world: PacketWorld;

beforeAll(async () => {
	world = await createPacketWorld();
});

afterAll(async () => {
	await world.close();
});

/** The rules there are, as one text; nothing if there are none. */
function rulesIn(namespace: NetworkNamespace): string {
	const listing = nftIn(namespace, "-j", "list", "ruleset");
	return essenceOf(listing, "fairlead").join("\n");
}

/** What each state's rules look like when nobody dies. */
function wholeStates(states: readonly Program[]): string[] {
	const apart = createNetworkNamespace();
	const backend = new NftablesBackend(apart);
	try {
		return states.map((state) => {
			backend.replace(state);
			return rulesIn(apart);
		});
	} finally {
		backend.close();
		apart.close();
	}
}

/** Runs the writer in the node's namespace; how it ended. */
async function write(
	when: "before" | "after",
	send: number,
	...limits: number[]
): Promise<"killed" | "done"> {
	const child = world
		.namespaceOf("node")
		.run(() =>
			spawn(
				process.execPath,
				[
					"--disable-warning=ExperimentalWarning",
					writer,
					when,
					...[send, ...limits].map(String),
				],
				{ stdio: ["ignore", "ignore", "inherit"] },
			),
		);
	const [code, signal] = (await once(child, "exit")) as [
		number | null,
		string | null,
	];
	if (signal === "SIGKILL") return "killed";
	expect(code).toBe(0);
	return "done";
}

test("whoever is killed before or after any datagram to the kernel leaves the rules of before or after a change whole; connections go on, and the next one brings all up to date", async () => {
	const states = dyingStates();
	const whole = wholeStates(states);
	const last = states.at(-1) as Program;
	const node = world.namespaceOf("node");
	const backend = new NftablesBackend(node);
	backend.replace(last);
	const held = world.converse("outside", "TCP", dyingAddress, 80);
	const began = await held.say();
	expect(["pod-1", "pod-2"]).toContain((began as { by: string }).by);
	const left = new Set<string>();
	for (let send = 1; ; send++) {
		const endings: string[] = [];
		for (const when of ["before", "after"] as const) {
			endings.push(await write(when, send));
			const rules = rulesIn(node);
			expect(whole).toContain(rules);
			left.add(rules);
			expect(await held.say()).toEqual(began);
			expect(
				await world.ask("outside", "TCP", dyingAddress, 80).answer,
			).toHaveProperty("by", expect.stringMatching(/^pod-[12]$/));
			backend.replace(last);
			expect(rulesIn(node)).toBe(whole.at(-1));
		}
		if (endings.includes("done")) break;
	}
	// Deaths that never met a state say nothing about it.
	expect(left).toEqual(new Set(whole));
	held.close();
	backend.close();
});

/** What rules say of each port, where they say what is not the same for all. */
function byPort(rules: string): Map<string, string> {
	const ports = new Map<string, string>();
	for (const line of rules.split("\n")) {
		const port = /"203\.0\.113\.10","tcp",(\d+)/.exec(line)?.[1];
		if (port) ports.set(port, `${ports.get(port) ?? ""}${line}\n`);
	}
	return ports;
}

test("where the kernel takes no large datagram, whoever is killed between two leaves each frontend as it was before or after, or, amid a full write, not served yet; connections go on, and the next one brings all up to date", async () => {
	const states = dyingStates(MANY);
	const last = states.at(-1) as Program;
	const whole = wholeStates(states);
	const known = whole.map(byPort);
	const node = world.namespaceOf("node");
	const backend = new NftablesBackend(node);
	backend.replace(last);
	const held = world.converse("outside", "TCP", dyingAddress, 80);
	const began = await held.say();
	expect(["pod-1", "pod-2"]).toContain((began as { by: string }).by);
	let amid = 0;
	for (let send = 1; ; send++) {
		const ending = await write("after", send, MANY, SMALL);
		const rules = rulesIn(node);
		for (const [port, said] of byPort(rules))
			expect(known.map((state) => state.get(port))).toContain(said);
		expect(await held.say()).toEqual(began);
		const answer = await world.ask("outside", "TCP", dyingAddress, 80).answer;
		if (byPort(rules).has("80"))
			expect(answer).toHaveProperty("by", expect.stringMatching(/^pod-[12]$/));
		else expect(answer).toBe("refused");
		if (!whole.includes(rules)) {
			amid++;
			backend.replace(last);
			expect(rulesIn(node)).toBe(whole.at(-1));
		}
		if (ending === "done") break;
	}
	// Deaths that came between no two parts say nothing about those.
	expect(amid).toBeGreaterThan(5);
	held.close();
	backend.close();
});
