import { jest } from "@jest/globals";
import { resources } from "../../operator/cluster/kube.ts";
import { World } from "../support/world.ts";
import { Desk, type Row } from "./service-desk.ts";
import { ownerRows } from "./service-owner-rows.ts";
import { shapeRows } from "./service-shape-rows.ts";

// What a Service of type LoadBalancer may ask for in Kubernetes 1.37, and what others may do to it: one row a case.

jest.setTimeout(60_000);

let world: World;
let desk: Desk;
let rows = 0;

beforeAll(async () => {
	world = await World.start({ dualStack: true });
	await world.furnish();
	const controller = world.controller();
	desk = await Desk.open(world, controller);
	await desk.client.create(resources.addressPools, {
		metadata: { name: "lab" },
		spec: { addresses: ["10.9.0.0/24", "fd00:9::/120"] },
	} as never);
	await desk.balancerClass("lab", { provider: "Static" });
	await controller.logged(({ msg }) => msg.startsWith("leads"));
});
afterAll(async () => {
	desk?.close();
	await world?.stop();
});

const play = ([, row]: Row) => row(desk, `row-${++rows}`);

describe("what a Service asks for", () => {
	it.each(shapeRows.map((row): [string, Row] => [row[0], row]))(
		"%s",
		(_sentence, row) => play(row),
	);
});

describe("whose a Service is", () => {
	it.each(ownerRows.map((row): [string, Row] => [row[0], row]))(
		"%s",
		(_sentence, row) => play(row),
	);
});

it("in all of this the controller said nothing that it did not expect", () => {
	expect(
		desk.controller.log.filter(
			({ level, code }) => level === "error" || code === "InternalError",
		),
	).toEqual([]);
});
