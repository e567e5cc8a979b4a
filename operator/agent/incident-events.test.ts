import type { Node, Service } from "../api/core.ts";
import type { EventRecorder } from "../cluster/events.ts";
import { Store } from "../cluster/index.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { incidentEvents } from "./incident-events.ts";

const options = { clock: new FakeClock(), log: quietLog() };
const services = new Store<Service>(options);
const nodes = new Store<Node>(options);
services.put({
	metadata: { namespace: "shop", name: "web", uid: "1", resourceVersion: "1" },
	spec: {},
});
nodes.put({ metadata: { name: "node-1", uid: "2", resourceVersion: "2" } });

const recorded = (service?: string, node = "node-1") => {
	const told: string[] = [];
	const recorder = {
		record: (resource, { metadata }, { type, reason, note }) => {
			told.push(
				`${type} ${reason} about ${resource.kind} ${metadata.name}: ${note}`,
			);
		},
	} as Pick<EventRecorder, "record"> as EventRecorder;
	incidentEvents(
		node,
		{ services, nodes },
		recorder,
	)({
		reason: "ServiceRefused",
		note: "too many",
		...(service !== undefined && { service }),
	});
	return told;
};

test.each([
	["the Service it concerns", "shop/web", "Service web"],
	["the node, if the Service is gone", "shop/gone", "Node node-1"],
	["the node, if it concerns no Service", undefined, "Node node-1"],
])("an incident is told about %s", (_, service, about) => {
	expect(recorded(service)).toEqual([
		`Warning ServiceRefused about ${about}: node node-1: too many`,
	]);
});

test("an incident of a node that nobody knows is told to nobody", () => {
	expect(recorded(undefined, "node-9")).toEqual([]);
});
