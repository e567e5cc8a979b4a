import nock from "nock";
import { createHetznerCloud } from "../../operator/providers/hetzner-cloud/provider.ts";
import type { Provider } from "../../operator/providers/provider.ts";
import type { DesiredBalancer } from "../../operator/model/balancer/balancer.ts";
import { balancerIdentity } from "../../operator/model/balancer/identity.ts";
import { FakeClock } from "../support/fake-clock.ts";
import {
	action,
	balancer,
	balancers,
	creation,
	desired,
	findPath,
	identity,
	labels,
	listPath,
	listener,
	namePath,
	node,
	notFound,
	origin,
	paging,
	parts,
	runningPath,
	server,
	service,
	signal,
	token,
} from "../support/hetzner-nock.ts";
import { quietLog } from "../support/quiet-log.ts";

let clock: FakeClock;
let provider: Provider;
let scope: nock.Scope;
/** `METHOD path`, in the order in which they were made. */
let calls: string[];

function newProvider(): Provider {
	return createHetznerCloud({
		endpoint: `${origin}/v1`,
		token: async () => token,
		location: "fsn1",
		clusterId: "c1",
		clock,
		random: () => 0,
		log: quietLog(),
	});
}

beforeEach(() => {
	clock = new FakeClock();
	calls = [];
	scope = nock(origin, { reqheaders: { authorization: `Bearer ${token}` } });
	scope.on("request", ({ method, url }: Request) => {
		const { pathname, search } = new URL(url);
		calls.push(`${method} ${pathname}${search}`);
	});
	provider = newProvider();
});

afterEach(async () => {
	await provider.close();
	const left = nock.pendingMocks();
	nock.cleanAll();
	expect(left).toEqual([]);
});

type Body = nock.RequestBodyMatcher;

/** The one answer to the next call of this kind; its body, if it has one, must be exactly this. */
function on(method: string, path: string, body?: unknown) {
	return scope.intercept(path, method, body as Body);
}

function plainHetzner() {
	on("GET", "/v1/fairlead/capabilities").reply(404, notFound);
}

/** What a process reads at its first pass, over a cloud that holds `held` and works on `running`. */
function start(held: unknown[] = [], running: unknown[] = []) {
	plainHetzner();
	fill(held, running);
}

function fill(held: unknown[] = [], running: unknown[] = []) {
	on("GET", runningPath).reply(200, { actions: running });
	on("GET", listPath).reply(200, balancers(...held));
}

/** Brings the provider to where the balancer is known and done, and forgets the calls. */
async function started() {
	start([balancer]);
	await provider.ensure(desired, signal);
	calls = [];
}

describe("creating a balancer", () => {
	it("looks it up by label, then makes it with listeners and targets in one call, and gives the address at once", async () => {
		start();
		on("GET", findPath).reply(200, balancers());
		on("POST", "/v1/load_balancers", creation).reply(201, {
			load_balancer: { ...balancer, services: [], targets: [] },
			action: action(1, "create_load_balancer"),
		});
		expect(await provider.ensure(desired, signal)).toEqual({
			id: "7",
			addresses: ["203.0.113.7"],
			ipMode: "Proxy",
			ports: [{ protocol: "TCP", port: 80, state: "Configuring" }],
			targetProblems: [],
			pending: {
				waitingFor: "the cloud to finish create_load_balancer (action 1)",
				retryAfterMs: 500,
			},
		});
		clock.pause(500);
		on("GET", "/v1/actions?id=1&per_page=50").reply(200, {
			actions: [action(1, "create_load_balancer", "success")],
		});
		expect(await provider.ensure(desired, signal)).toEqual({
			id: "7",
			addresses: ["203.0.113.7"],
			ipMode: "Proxy",
			ports: [{ protocol: "TCP", port: 80, state: "Configured" }],
			targetProblems: [],
		});
		expect(calls).toEqual([
			"GET /v1/fairlead/capabilities",
			`GET ${runningPath}`,
			`GET ${listPath}`,
			`GET ${findPath}`,
			"POST /v1/load_balancers",
			"GET /v1/actions?id=1&per_page=50",
		]);
	});

	it("asks for the actions of many balancers in one request", async () => {
		const other: DesiredBalancer = {
			...desired,
			identity: balancerIdentity("c1", "uid-2"),
		};
		start();
		for (const [each, id] of [
			[desired, 7],
			[other, 8],
		] as const) {
			on("GET", findPath.replace("uid-1", each.identity.serviceUid)).reply(
				200,
				balancers(),
			);
			on(
				"POST",
				"/v1/load_balancers",
				(body: { name: string }) => body.name === each.identity.name,
			).reply(201, {
				load_balancer: { ...balancer, id, name: each.identity.name },
				action: action(id, "create_load_balancer"),
			});
			await provider.ensure(each, signal);
		}
		clock.pause(1_000);
		calls = [];
		on("GET", "/v1/actions?id=7&id=8&per_page=50").reply(200, {
			actions: [
				action(7, "create_load_balancer", "success"),
				action(8, "create_load_balancer", "success"),
			],
		});
		const seen = await Promise.all([
			provider.ensure(desired, signal),
			provider.ensure(other, signal),
		]);
		expect(seen.map((each) => each.pending)).toEqual([undefined, undefined]);
		expect(calls).toEqual(["GET /v1/actions?id=7&id=8&per_page=50"]);
	});

	it("finds the balancer it made when the answer was lost", async () => {
		start();
		on("GET", findPath).reply(200, balancers());
		on("POST", "/v1/load_balancers", creation).replyWithError(
			Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }),
		);
		on("GET", findPath).reply(200, balancers(balancer));
		on("GET", `/v1/load_balancers/7/actions?status=running&${paging}`).reply(
			200,
			{ actions: [] },
		);
		const seen = await provider.ensure(desired, signal);
		expect(seen.addresses).toEqual(["203.0.113.7"]);
		expect(seen.pending).toBeUndefined();
		expect(calls.slice(3)).toEqual([
			`GET ${findPath}`,
			"POST /v1/load_balancers",
			`GET ${findPath}`,
			`GET /v1/load_balancers/7/actions?status=running&${paging}`,
		]);
	});

	it("says what happened when the answer was lost and nothing was made, and makes one balancer the next time", async () => {
		start();
		on("GET", findPath).reply(200, balancers());
		on("POST", "/v1/load_balancers").replyWithError("socket hang up");
		on("GET", findPath).reply(200, balancers());
		on("GET", namePath).reply(200, balancers());
		await expect(provider.ensure(desired, signal)).rejects.toMatchObject({
			code: "CloudUnreachable",
			message:
				"POST /load_balancers: http://cloud.test cannot be reached: socket hang up",
		});
		on("GET", findPath).reply(200, balancers());
		on("POST", "/v1/load_balancers", creation).reply(201, {
			load_balancer: balancer,
			action: action(1, "create_load_balancer", "success"),
		});
		expect((await provider.ensure(desired, signal)).id).toBe("7");
	});

	it("takes up its own balancer on a uniqueness error, even when its labels were wiped", async () => {
		start();
		on("GET", findPath).reply(200, balancers());
		on("POST", "/v1/load_balancers").reply(409, {
			error: { code: "uniqueness_error", message: "name is used" },
		});
		on("GET", findPath).reply(200, balancers());
		on("GET", namePath).reply(
			200,
			balancers({ ...balancer, labels: { team: "a" } }),
		);
		on("GET", `/v1/load_balancers/7/actions?status=running&${paging}`).reply(
			200,
			{ actions: [] },
		);
		on("PUT", "/v1/load_balancers/7", {
			name: identity.name,
			labels: { team: "a", ...labels, ...parts },
		}).reply(200, {
			load_balancer: {
				...balancer,
				labels: { team: "a", ...labels, ...parts },
			},
		});
		expect((await provider.ensure(desired, signal)).id).toBe("7");
	});

	it("names the balancer that has its name and is another's, and leaves it alone", async () => {
		start();
		on("GET", findPath).reply(200, balancers());
		on("POST", "/v1/load_balancers").reply(409, {
			error: { code: "uniqueness_error", message: "name is used" },
		});
		on("GET", findPath).reply(200, balancers());
		on("GET", namePath).reply(
			200,
			balancers({
				...balancer,
				labels: { ...labels, "fairlead.dev/cluster": "c2" },
			}),
		);
		await expect(provider.ensure(desired, signal)).rejects.toMatchObject({
			code: "CloudNameTaken",
			message: expect.stringContaining("balancer 7"),
		});
	});

	it("makes it without parts when the cloud refuses one, and says of that one what the cloud said", async () => {
		const refusal = {
			error: {
				code: "ip_not_owned",
				message: "the IP 10.0.0.3 is not owned",
				details: {},
			},
		};
		const withRobot = {
			...desired,
			targets: [node("n1", 41), node("n3")],
		};
		start();
		on("GET", `/v1/servers?${paging}`).reply(200, { servers: [] });
		on("GET", findPath).reply(200, balancers());
		on("POST", "/v1/load_balancers").reply(422, refusal);
		on("POST", "/v1/load_balancers", {
			...creation,
			labels,
			services: [],
			targets: [],
		}).reply(201, {
			load_balancer: { ...balancer, labels, services: [], targets: [] },
			action: action(1, "create_load_balancer", "success"),
		});
		const listed = { ...labels, "fairlead.dev/owns-0": "i10.0.0.3_p80_s41" };
		on("PUT", "/v1/load_balancers/7", {
			name: identity.name,
			labels: listed,
		}).reply(200, {
			load_balancer: { ...balancer, labels: listed, services: [], targets: [] },
		});
		on(
			"POST",
			"/v1/load_balancers/7/actions/add_service",
			service(80, 30080),
		).reply(201, { action: action(2, "add_service", "success") });
		on("POST", "/v1/load_balancers/7/actions/add_target", server(41)).reply(
			201,
			{ action: action(3, "add_target", "success") },
		);
		on("POST", "/v1/load_balancers/7/actions/add_target", {
			type: "ip",
			ip: { ip: "10.0.0.3" },
		}).reply(422, refusal);
		const seen = await provider.ensure(withRobot, signal);
		expect(seen).toMatchObject({
			ports: [{ port: 80, state: "Configured" }],
			targetProblems: [
				{
					node: "n3",
					message:
						"POST /load_balancers/7/actions/add_target: the IP 10.0.0.3 is not owned (ip_not_owned)",
				},
			],
		});
		expect(seen.pending).toBeUndefined();
		calls = [];
		expect(
			(await provider.ensure(withRobot, signal)).targetProblems,
		).toHaveLength(1);
		expect(calls).toEqual([]);
	});

	it("refuses, before it makes anything, addresses the Service asks for", async () => {
		start();
		on("GET", findPath).reply(200, balancers());
		await expect(
			provider.ensure({ ...desired, addresses: ["192.0.2.1"] }, signal),
		).rejects.toMatchObject({
			code: "CloudRefused",
			message: expect.stringContaining("192.0.2.1 cannot be had"),
		});
	});
});

describe("a balancer that is there", () => {
	it("costs one list and one look at running work after a restart, and nothing after that", async () => {
		start([balancer]);
		const seen = await provider.ensure(desired, signal);
		expect(seen.pending).toBeUndefined();
		expect(calls).toHaveLength(3);
		expect(await provider.ensure(desired, signal)).toEqual(seen);
		expect(calls).toHaveLength(3);
	});

	it("is let alone while the cloud works on it for another process, and read again when that is over", async () => {
		start([{ ...balancer, targets: [server(41)] }], [action(5, "add_target")]);
		const seen = await provider.ensure(desired, signal);
		expect(seen.pending?.waitingFor).toBe(
			"the cloud to finish add_target (action 5)",
		);
		clock.pause(1_000);
		on("GET", "/v1/actions?id=5&per_page=50").reply(200, {
			actions: [action(5, "add_target", "success")],
		});
		on("GET", "/v1/load_balancers/7").reply(200, { load_balancer: balancer });
		expect((await provider.ensure(desired, signal)).pending).toBeUndefined();
	});

	it("gives the addresses of the wanted families in the wanted order", async () => {
		await started();
		const seen = await provider.ensure(
			{ ...desired, families: ["IPv6", "IPv4"], addresses: ["2001:DB8:0::7"] },
			signal,
		);
		expect(seen.addresses).toEqual(["2001:db8::7", "203.0.113.7"]);
	});

	it("is read again after it was forgotten", async () => {
		await started();
		provider.forget(identity);
		on("GET", "/v1/load_balancers/7").reply(200, { load_balancer: balancer });
		await provider.ensure(desired, signal);
		await provider.ensure(desired, signal);
		expect(calls).toEqual(["GET /v1/load_balancers/7"]);
	});

	it("is made anew when somebody deleted it", async () => {
		await started();
		provider.forget(identity);
		on("GET", "/v1/load_balancers/7").reply(404, notFound);
		on("GET", findPath).reply(200, balancers());
		on("POST", "/v1/load_balancers", creation).reply(201, {
			load_balancer: { ...balancer, id: 8 },
			action: action(1, "create_load_balancer", "success"),
		});
		expect((await provider.ensure(desired, signal)).id).toBe("8");
	});

	it("gets one update_service when a nodePort changes", async () => {
		await started();
		on(
			"POST",
			"/v1/load_balancers/7/actions/update_service",
			service(80, 30081),
		).reply(201, { action: action(2, "update_service") });
		const changed = { ...desired, listeners: [listener(80, 30081)] };
		expect(await provider.ensure(changed, signal)).toMatchObject({
			ports: [{ port: 80, state: "Configuring" }],
			pending: { waitingFor: "the cloud to finish update_service (action 2)" },
		});
		clock.pause(500);
		on("GET", "/v1/actions?id=2&per_page=50").reply(200, {
			actions: [action(2, "update_service", "success")],
		});
		expect(await provider.ensure(changed, signal)).toMatchObject({
			ports: [{ port: 80, state: "Configured" }],
		});
		expect(calls).toEqual([
			"POST /v1/load_balancers/7/actions/update_service",
			"GET /v1/actions?id=2&per_page=50",
		]);
	});

	it("gets each joining node listed in one PUT and added by one add_target each, one at a time while the cloud locks it", async () => {
		await started();
		const more = {
			...desired,
			targets: [...desired.targets, node("n3", 43), node("n4", 44)],
		};
		const listed = { ...labels, "fairlead.dev/owns-0": "p80_s41_s42_s43_s44" };
		on("PUT", "/v1/load_balancers/7", {
			name: identity.name,
			labels: listed,
		}).reply(200, { load_balancer: { ...balancer, labels: listed } });
		for (const id of [43, 44]) {
			on("POST", "/v1/load_balancers/7/actions/add_target", server(id)).reply(
				201,
				{ action: action(id, "add_target") },
			);
			on("GET", `/v1/actions?id=${id}&per_page=50`).reply(200, {
				actions: [action(id, "add_target", "success")],
			});
			expect((await provider.ensure(more, signal)).pending).toBeDefined();
			clock.pause(500);
		}
		expect((await provider.ensure(more, signal)).pending).toBeUndefined();
		expect(calls).toEqual([
			"PUT /v1/load_balancers/7",
			"POST /v1/load_balancers/7/actions/add_target",
			"GET /v1/actions?id=43&per_page=50",
			"POST /v1/load_balancers/7/actions/add_target",
			"GET /v1/actions?id=44&per_page=50",
		]);
	});

	it("gets all joining nodes in one call where the cloud takes batches", async () => {
		on("GET", "/v1/fairlead/capabilities").reply(200, {
			capabilities: { batch_targets: true },
		});
		fill([{ ...balancer, targets: [] }]);
		on("POST", "/v1/load_balancers/7/actions/add_targets", {
			targets: [server(41), server(42)],
		}).reply(201, { action: action(2, "add_targets", "success") });
		expect((await provider.ensure(desired, signal)).pending).toBeUndefined();
	});

	it("loses a target when its node leaves, in one call", async () => {
		await started();
		on("POST", "/v1/load_balancers/7/actions/remove_target", {
			type: "server",
			server: { id: 42 },
		}).reply(201, { action: action(2, "remove_target", "success") });
		const fewer = { ...desired, targets: [node("n1", 41)] };
		await provider.ensure(fewer, signal);
		await provider.ensure(fewer, signal);
		expect(calls).toEqual(["POST /v1/load_balancers/7/actions/remove_target"]);
	});

	it("keeps what others put on it, also after a restart, and says when they hold a wanted port", async () => {
		start([
			{
				...balancer,
				services: [...balancer.services, service(6443, 6443)],
				targets: [
					...balancer.targets,
					server(99),
					{ type: "label_selector", label_selector: { selector: "a=b" } },
				],
			},
		]);
		const seen = await provider.ensure(
			{ ...desired, listeners: [listener(80, 30080), listener(6443, 30443)] },
			signal,
		);
		expect(seen.ports).toMatchObject([
			{ port: 80, state: "Configured" },
			{ port: 6443, state: "Refused", reason: "PortTaken" },
		]);
		expect(calls).toHaveLength(3);
	});

	it("serves the ports it can and refuses the others with a reason each", async () => {
		await started();
		const [tcp] = desired.listeners;
		const seen = await provider.ensure(
			{
				...desired,
				listeners: [
					tcp as DesiredBalancer["listeners"][number],
					listener(81, 0),
					{ ...listener(53, 30053), protocol: "UDP" },
				],
			},
			signal,
		);
		expect(seen.ports).toEqual([
			{ protocol: "TCP", port: 80, state: "Configured" },
			{
				protocol: "TCP",
				port: 81,
				state: "Refused",
				reason: "NodePortMissing",
				message: expect.stringContaining("allocateLoadBalancerNodePorts"),
			},
			{
				protocol: "UDP",
				port: 53,
				state: "Refused",
				reason: "UnsupportedProtocol",
				message: "port 53/UDP: this cloud's balancers carry TCP only",
			},
		]);
		expect(calls).toEqual([]);
	});

	it("restricts clients and keeps them at a target where the cloud can, and takes both back by name", async () => {
		on("GET", "/v1/fairlead/capabilities").reply(200, {
			capabilities: { source_ranges: true, affinity: true },
		});
		fill([balancer]);
		await provider.ensure(desired, signal);
		calls = [];
		const path = "/v1/load_balancers/7/actions/update_service";
		on("POST", path, {
			...service(80, 30080),
			source_ranges: ["10.0.0.0/8"],
			affinity_seconds: 60,
		}).reply(201, { action: action(2, "update_service", "success") });
		await provider.ensure(
			{ ...desired, sourceRanges: ["10.0.0.0/8"], affinitySeconds: 60 },
			signal,
		);
		on("POST", path, {
			...service(80, 30080),
			source_ranges: [],
			affinity_seconds: null,
		}).reply(201, { action: action(3, "update_service", "success") });
		await provider.ensure(desired, signal);
		expect(calls).toEqual([`POST ${path}`, `POST ${path}`]);
	});

	it("loses a port that is to be restricted where the cloud cannot restrict clients, rather than stay open to everybody", async () => {
		await started();
		const path = "/v1/load_balancers/7";
		on("POST", `${path}/actions/delete_service`, { listen_port: 80 }).reply(
			201,
			{ action: action(2, "delete_service", "success") },
		);
		const restricted = { ...desired, sourceRanges: ["10.0.0.0/8"] };
		const seen = await provider.ensure(restricted, signal);
		expect(seen.ports).toMatchObject([
			{ port: 80, state: "Refused", reason: "UnsupportedSourceRanges" },
		]);
	});

	it("loses a listener that a call of a deposed leader adds late, and after five minutes the port is anybody's", async () => {
		await started();
		const path = "/v1/load_balancers/7";
		const without = { ...desired, listeners: [] };
		const bare = { ...balancer, services: [] };
		const gone = () =>
			on("POST", `${path}/actions/delete_service`, {
				listen_port: 80,
			}).reply(201, { action: action(2, "delete_service", "success") });
		const audit = async (now: object) => {
			on("GET", listPath).reply(200, balancers(now));
			await provider.list("c1", signal);
			await provider.ensure(without, signal);
		};
		gone();
		await provider.ensure(without, signal);
		await provider.ensure(without, signal);
		clock.pause(4 * 60_000);
		gone();
		await audit(balancer);
		clock.pause(60_000);
		const listed = { ...labels, "fairlead.dev/owns-0": "s41_s42" };
		on("PUT", path, { name: identity.name, labels: listed }).reply(200, {
			load_balancer: { ...bare, labels: listed },
		});
		await audit(bare);
		await audit({ ...balancer, labels: listed });
	});

	it("waits without an error while the cloud has it locked", async () => {
		await started();
		on("POST", "/v1/load_balancers/7/actions/update_service").reply(423, {
			error: { code: "locked", message: "locked" },
		});
		const seen = await provider.ensure(
			{ ...desired, listeners: [listener(80, 30081)] },
			signal,
		);
		expect(seen.pending).toEqual({
			waitingFor: "the cloud to finish other work on balancer 7",
			retryAfterMs: 500,
		});
	});

	it("is asked what it is doing, and read again, before the next write after a refusal because it was busy", async () => {
		await started();
		const changed = { ...desired, listeners: [listener(80, 30081)] };
		on("POST", "/v1/load_balancers/7/actions/update_service").reply(423, {
			error: { code: "locked", message: "locked" },
		});
		await provider.ensure(changed, signal);
		const busyPath = `/v1/load_balancers/7/actions?status=running&${paging}`;
		on("GET", busyPath).reply(200, { actions: [action(9, "change_type")] });
		on("GET", "/v1/load_balancers/7").reply(200, { load_balancer: balancer });
		expect((await provider.ensure(changed, signal)).pending?.waitingFor).toBe(
			"the cloud to finish change_type (action 9)",
		);
		clock.pause(500);
		on("GET", "/v1/actions?id=9&per_page=50").reply(200, {
			actions: [action(9, "change_type", "success")],
		});
		on("GET", "/v1/load_balancers/7").reply(200, { load_balancer: balancer });
		on("POST", "/v1/load_balancers/7/actions/update_service").reply(201, {
			action: action(10, "update_service", "success"),
		});
		expect((await provider.ensure(changed, signal)).pending).toBeUndefined();
		expect(calls.filter((each) => !each.startsWith("GET"))).toHaveLength(2);
	});

	it("does not get twice what it was given in a call whose answer was lost", async () => {
		await started();
		const changed = { ...desired, listeners: [listener(80, 30081)] };
		on("POST", "/v1/load_balancers/7/actions/update_service").replyWithError(
			"socket hang up",
		);
		await expect(provider.ensure(changed, signal)).rejects.toMatchObject({
			code: "CloudUnreachable",
		});
		on("GET", `/v1/load_balancers/7/actions?status=running&${paging}`).reply(
			200,
			{ actions: [] },
		);
		on("GET", "/v1/load_balancers/7").reply(200, {
			load_balancer: { ...balancer, services: [service(80, 30081)] },
		});
		expect(await provider.ensure(changed, signal)).toMatchObject({
			ports: [{ port: 80, state: "Configured" }],
		});
	});

	it("gets targets one by one when a batch is refused, so that the others are not lost", async () => {
		on("GET", "/v1/fairlead/capabilities").reply(200, {
			capabilities: { batch_targets: true },
		});
		fill([{ ...balancer, targets: [] }]);
		const refusal = {
			error: { code: "missing_ipv4", message: "server 42 has no IPv4" },
		};
		const path = "/v1/load_balancers/7/actions/add_target";
		on("POST", `${path}s`).reply(422, refusal);
		on("POST", path, server(41)).reply(201, {
			action: action(2, "add_target", "success"),
		});
		on("POST", path, server(42)).reply(422, refusal);
		expect((await provider.ensure(desired, signal)).targetProblems).toEqual([
			{
				node: "n2",
				message:
					"POST /load_balancers/7/actions/add_target: server 42 has no IPv4 (missing_ipv4)",
			},
		]);
	});

	it("looks for a node's server anew when the cloud no longer knows the one of that name", async () => {
		const named = { ...desired, targets: [node("n1")] };
		const owned = (key: string) => ({
			...balancer,
			labels: { ...labels, "fairlead.dev/owns-0": key },
			targets: [],
		});
		start([owned("p80_s41")]);
		const serversPath = `/v1/servers?${paging}`;
		on("GET", serversPath).reply(200, { servers: [{ id: 41, name: "n1" }] });
		const path = "/v1/load_balancers/7/actions/add_target";
		on("POST", path, server(41)).reply(422, {
			error: { code: "invalid_input", message: "server 41 not found" },
		});
		expect((await provider.ensure(named, signal)).targetProblems).toHaveLength(
			1,
		);
		clock.pause(60_000);
		on("GET", serversPath).reply(200, { servers: [{ id: 51, name: "n1" }] });
		on("GET", "/v1/load_balancers/7").reply(200, {
			load_balancer: owned("p80_s41"),
		});
		on("PUT", "/v1/load_balancers/7").reply(200, {
			load_balancer: owned("p80_s51"),
		});
		on("POST", path, server(51)).reply(201, {
			action: action(2, "add_target", "success"),
		});
		expect((await provider.ensure(named, signal)).targetProblems).toEqual([]);
	});

	it("is read again and tried anew when the cloud fails at work it had accepted", async () => {
		await started();
		const changed = { ...desired, listeners: [listener(80, 30081)] };
		on("POST", "/v1/load_balancers/7/actions/update_service").reply(201, {
			action: action(2, "update_service"),
		});
		await provider.ensure(changed, signal);
		clock.pause(500);
		on("GET", "/v1/actions?id=2&per_page=50").reply(200, {
			actions: [
				{
					...action(2, "update_service", "error"),
					error: { code: "action_failed", message: "Action failed" },
				},
			],
		});
		await expect(provider.ensure(changed, signal)).rejects.toMatchObject({
			code: "CloudActionFailed",
			message: "update_service failed: Action failed (action_failed)",
		});
		on("GET", "/v1/load_balancers/7").reply(200, { load_balancer: balancer });
		on("POST", "/v1/load_balancers/7/actions/update_service").reply(201, {
			action: action(3, "update_service", "success"),
		});
		expect((await provider.ensure(changed, signal)).ports).toMatchObject([
			{ state: "Configured" },
		]);
	});

	it("finds nodes without a providerID by name, and asks for a name it does not know at most once a minute", async () => {
		const nameless = {
			...desired,
			targets: [node("n1"), node("n2"), node("n3")],
		};
		start([{ ...balancer, targets: [] }]);
		on("GET", `/v1/servers?${paging}`).reply(200, {
			servers: [
				{ id: 41, name: "n1" },
				{ id: 42, name: "n2" },
			],
		});
		const listed = {
			...labels,
			"fairlead.dev/owns-0": "i10.0.0.3_p80_s41_s42",
		};
		on("PUT", "/v1/load_balancers/7").reply(200, {
			load_balancer: { ...balancer, labels: listed, targets: [] },
		});
		for (const target of [
			server(41),
			server(42),
			{ type: "ip", ip: { ip: "10.0.0.3" } },
		])
			on("POST", "/v1/load_balancers/7/actions/add_target", target).reply(201, {
				action: action(2, "add_target", "success"),
			});
		await provider.ensure(nameless, signal);
		calls = [];
		await provider.ensure(nameless, signal);
		expect(calls).toEqual([]);
		clock.pause(60_000);
		on("GET", `/v1/servers?${paging}`).reply(200, {
			servers: [
				{ id: 41, name: "n1" },
				{ id: 42, name: "n2" },
			],
		});
		await provider.ensure(nameless, signal);
		expect(calls).toEqual([`GET /v1/servers?${paging}`]);
	});
});

describe("deleting a balancer", () => {
	it("asks for it, waits for the action, and is done when the balancer is not found", async () => {
		await started();
		on("DELETE", "/v1/load_balancers/7").reply(201, {
			action: action(2, "delete_load_balancer"),
		});
		expect(await provider.delete(identity, signal)).toEqual({
			gone: false,
			waitingFor: "the cloud to delete balancer 7",
			retryAfterMs: 500,
		});
		clock.pause(500);
		on("GET", "/v1/actions?id=2&per_page=50").reply(200, {
			actions: [action(2, "delete_load_balancer", "success")],
		});
		on("GET", "/v1/load_balancers/7").reply(404, notFound);
		expect(await provider.delete(identity, signal)).toEqual({ gone: true });
		expect(calls).toHaveLength(3);
	});

	it("is done at once when the cloud answers 204 and the balancer is not found", async () => {
		await started();
		on("DELETE", "/v1/load_balancers/7").reply(204);
		on("GET", "/v1/load_balancers/7").reply(404, notFound);
		expect(await provider.delete(identity, signal)).toEqual({ gone: true });
	});

	it("looks for a balancer it does not know, by label and by name, before it says that there is none", async () => {
		fill();
		on("GET", findPath).reply(200, balancers());
		on("GET", namePath).reply(200, balancers());
		expect(await provider.delete(identity, signal)).toEqual({ gone: true });
	});

	it("never deletes a balancer of its name that is another's", async () => {
		fill();
		on("GET", findPath).reply(200, balancers());
		on("GET", namePath).reply(
			200,
			balancers({
				...balancer,
				labels: { ...labels, "fairlead.dev/service-uid": "other" },
			}),
		);
		expect(await provider.delete(identity, signal)).toEqual({ gone: true });
	});

	it("says that somebody has to lift the protection", async () => {
		await started();
		on("DELETE", "/v1/load_balancers/7").reply(423, {
			error: { code: "protected", message: "load_balancer is protected" },
		});
		expect(await provider.delete(identity, signal)).toEqual({
			gone: false,
			waitingFor:
				"somebody to lift the delete protection of balancer 7 in the cloud",
			retryAfterMs: 60_000,
		});
	});
});

describe("listing", () => {
	it("reads every page and gives what carries the cluster's label", async () => {
		on("GET", listPath).reply(200, {
			load_balancers: [balancer],
			meta: { pagination: { next_page: 2 } },
		});
		on("GET", listPath.replace("page=1", "page=2")).reply(200, {
			load_balancers: [
				{
					...balancer,
					id: 8,
					name: "other",
					labels: { ...labels, "fairlead.dev/service-uid": "uid-2" },
					protection: { delete: true },
				},
			],
			meta: { pagination: { next_page: null } },
		});
		expect(await provider.list("c1", signal)).toEqual([
			{
				identity,
				id: "7",
				service: { namespace: "shop", name: "web" },
				addresses: ["203.0.113.7", "2001:db8::7"],
				createdAt: Date.UTC(2026, 0, 1),
				protected: false,
			},
			{
				identity: { clusterId: "c1", serviceUid: "uid-2", name: "other" },
				id: "8",
				service: { namespace: "shop", name: "web" },
				addresses: ["203.0.113.7", "2001:db8::7"],
				createdAt: Date.UTC(2026, 0, 1),
				protected: true,
			},
		]);
	});

	it("lets the next pass repair what it shows to have been changed by others", async () => {
		await started();
		on("GET", listPath).reply(200, balancers({ ...balancer, services: [] }));
		await provider.list("c1", signal);
		on(
			"POST",
			"/v1/load_balancers/7/actions/add_service",
			service(80, 30080),
		).reply(201, { action: action(2, "add_service", "success") });
		await provider.ensure(desired, signal);
		expect(calls).toHaveLength(2);
	});
});

describe("what the cloud may answer", () => {
	const cases: {
		when: string;
		status: number;
		body: unknown;
		headers?: Record<string, string>;
		error: Record<string, unknown>;
	}[] = [
		{
			when: "a token it does not accept",
			status: 401,
			body: { error: { code: "unauthorized", message: `no ${token} here` } },
			error: {
				code: "CloudUnauthorized",
				retryable: true,
				message: "GET /load_balancers: no [token] here (unauthorized)",
			},
		},
		{
			when: "too many requests, with Retry-After",
			status: 429,
			body: { error: { code: "rate_limit_exceeded", message: "slow down" } },
			headers: { "retry-after": "17" },
			error: { code: "CloudRateLimited", retryAfterMs: 17_000 },
		},
		{
			when: "too many requests, with RateLimit headers",
			status: 429,
			body: { error: { code: "rate_limit_exceeded", message: "slow down" } },
			headers: {
				"ratelimit-limit": "3600",
				"ratelimit-remaining": "0",
				// Two seconds for each call that is missing.
				"ratelimit-reset": String(Date.UTC(2026, 0, 1, 2) / 1_000),
			},
			error: { code: "CloudRateLimited", retryAfterMs: 2_000 },
		},
		{
			when: "an error of its own",
			status: 500,
			body: { error: { code: "server_error", message: "oops\n\tat x" } },
			error: {
				code: "CloudServerError",
				message: "GET /load_balancers: oops at x (server_error)",
			},
		},
		{
			when: "a proxy's error page",
			status: 502,
			body: "<html>Bad Gateway</html>",
			error: {
				code: "CloudServerError",
				message: "GET /load_balancers: status 502",
			},
		},
		{
			when: "something that is not JSON",
			status: 200,
			body: "<html>Welcome to nginx!</html>",
			error: {
				code: "CloudBadAnswer",
				message:
					"GET /load_balancers: the answer is not JSON; it begins with <html>Welcome to nginx!</html>",
			},
		},
		{
			when: "JSON of another shape",
			status: 200,
			body: { load_balancers: [{ id: "seven" }] },
			error: {
				code: "CloudBadAnswer",
				message: expect.stringMatching(
					/^GET \/load_balancers: the answer's load_balancers\.0\.id is not as the Hetzner Cloud API has it: /,
				),
			},
		},
		{
			when: "fields it will not have",
			status: 422,
			body: {
				error: {
					code: "invalid_input",
					message: "invalid input",
					details: {
						fields: [{ name: "label_selector", messages: ["is too long"] }],
					},
				},
			},
			error: {
				code: "CloudRefused",
				retryable: false,
				message:
					"GET /load_balancers: invalid input; label_selector: is too long (invalid_input)",
			},
		},
		{
			when: "a quota that is used up",
			status: 403,
			body: {
				error: { code: "resource_limit_exceeded", message: "limit reached" },
			},
			error: { code: "CloudQuota" },
		},
	];
	it.each(cases)("$when", async ({ status, body, headers, error }) => {
		on("GET", listPath).reply(status, body as nock.Body, headers ?? {});
		await expect(provider.list("c1", signal)).rejects.toMatchObject(error);
	});

	it("makes no call while the cloud said to wait, and calls again after that", async () => {
		on("GET", listPath).reply(429, {}, { "retry-after": "17" });
		await expect(provider.list("c1", signal)).rejects.toMatchObject({
			retryAfterMs: 17_000,
		});
		clock.pause(10_000);
		await expect(provider.list("c1", signal)).rejects.toMatchObject({
			code: "CloudRateLimited",
			retryAfterMs: 7_000,
		});
		expect(calls).toHaveLength(1);
		clock.pause(7_000);
		on("GET", listPath).reply(200, balancers());
		expect(await provider.list("c1", signal)).toEqual([]);
	});
});

describe("a class no balancer can be made with", () => {
	const options = {
		token: async () => token,
		clusterId: "c1",
		clock: new FakeClock(),
		random: () => 0,
		log: quietLog(),
	};
	it.each([
		[{}, "names neither location nor networkZone"],
		[
			{ location: "fsn1", networkZone: "eu-central" },
			"names both location fsn1",
		],
		[{ location: "fsn1", endpoint: "ftp://x" }, 'endpoint "ftp://x"'],
		[{ location: "fsn1", endpoint: "nonsense" }, 'endpoint "nonsense"'],
	])("is refused at once: %j", (wrong, message) => {
		expect(() => createHetznerCloud({ ...options, ...wrong })).toThrow(
			expect.objectContaining({
				code: "ClassInvalid",
				message: expect.stringContaining(message),
			}),
		);
	});
});
