import type { EndpointSlice, Service } from "../../../operator/api/core.ts";
import { Store } from "../../../operator/cluster/index.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { quietLog } from "../../../test/support/quiet-log.ts";
import { type ServiceEvent, ServiceFeed } from "./service-feed.ts";

let version = 0;
const meta = (name: string, labels?: Record<string, string>) => ({
	namespace: "default",
	name,
	uid: name,
	resourceVersion: String(++version),
	...(labels && { labels }),
});
const service = (name: string): Service => ({
	metadata: meta(name),
	spec: { ports: [{ port: 80 }] },
});
const slice = (of: string, address: string): EndpointSlice => ({
	metadata: meta(`slice-of-${of}`, { "kubernetes.io/service-name": of }),
	addressType: "IPv4",
	endpoints: [{ addresses: [address] }],
	ports: [{ port: 8080 }],
});

const clock = new FakeClock();
let services: Store<Service>;
let slices: Store<EndpointSlice>;
let feed: ServiceFeed;
let heard: ServiceEvent[];

beforeEach(async () => {
	services = new Store<Service>({ clock, log: quietLog() });
	slices = new Store<EndpointSlice>({ clock, log: quietLog() });
	feed = new ServiceFeed({ clock, services, slices });
	heard = [];
	services.put(service("a"));
	services.put(service("b"));
	await clock.advance(50);
	feed.follow((event) => heard.push(event));
});
afterEach(() => feed.close());

const names = () =>
	heard.map(({ name, data }) =>
		Array.isArray(data)
			? `${name} ${data.map((one) => one.name).join()}`
			: `${name} ${data.name}`,
	);

test("who follows is told all there are", () => {
	expect(names()).toEqual(["services a,b"]);
});

test("changes of a Service and of its slices that come together are told once, and of nobody else", async () => {
	services.put(service("a"));
	slices.put(slice("a", "10.244.1.2"));
	slices.put(slice("a", "10.244.1.3"));
	await clock.advance(50);
	expect(names()).toEqual(["services a,b", "service a"]);
	expect(heard[1]?.data).toMatchObject({
		ports: [{ endpoints: [{ address: "10.244.1.3" }] }],
	});
});

test("a Service that is gone is told by its name", async () => {
	const [gone] = services.values();
	if (gone) services.remove(gone);
	await clock.advance(50);
	expect(names()).toEqual(["services a,b", "service-removed a"]);
});

test("who has left hears nothing", async () => {
	const others: ServiceEvent[] = [];
	feed.follow((event) => others.push(event))();
	services.put(service("a"));
	await clock.advance(50);
	expect(others).toHaveLength(1);
});
