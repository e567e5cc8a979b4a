import { ip, minimal, tcp } from "../../test/support/cloud-samples.ts";
import { closeClouds, testCloud } from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

describe("what is wrong with a request is said in Hetzner's words:", () => {
	const many = (count: number) =>
		Array.from({ length: count }, (_, i) => ({ ...tcp, listen_port: i + 1 }));
	test.each<[string, object, number, string, string]>([
		["no name", { name: undefined }, 422, "invalid_input", "name"],
		["a bad name", { name: "a b" }, 422, "invalid_input", "name"],
		[
			"no type",
			{ load_balancer_type: undefined },
			422,
			"invalid_input",
			"load_balancer_type",
		],
		[
			"an unknown type",
			{ load_balancer_type: "lb99" },
			422,
			"invalid_input",
			"load_balancer_type",
		],
		[
			"neither location nor zone",
			{ location: undefined },
			422,
			"invalid_input",
			"location",
		],
		[
			"an unknown location",
			{ location: "mars" },
			422,
			"invalid_input",
			"location",
		],
		[
			"an unknown zone",
			{ location: undefined, network_zone: "mars" },
			422,
			"invalid_input",
			"network_zone",
		],
		["a bad label", { labels: { "-": "x" } }, 422, "invalid_input", "labels"],
		[
			"an unknown algorithm",
			{ algorithm: { type: "random" } },
			422,
			"invalid_input",
			"algorithm.type",
		],
		[
			"an unknown protocol",
			{ services: [{ ...tcp, protocol: "sctp" }] },
			422,
			"invalid_input",
			"services.0.protocol",
		],
		[
			"port 0",
			{ services: [{ ...tcp, listen_port: 0 }] },
			422,
			"invalid_input",
			"services.0.listen_port",
		],
		[
			"port 65536",
			{ services: [{ ...tcp, destination_port: 65_536 }] },
			422,
			"invalid_input",
			"services.0.destination_port",
		],
		[
			"tcp without a destination",
			{ services: [{ ...tcp, destination_port: undefined }] },
			422,
			"invalid_input",
			"destination_port",
		],
		[
			"checks every 2 s",
			{ services: [{ ...tcp, health_check: { interval: 2 } }] },
			422,
			"invalid_input",
			"services.0.health_check.interval",
		],
		[
			"6 retries",
			{ services: [{ ...tcp, health_check: { retries: 6 } }] },
			422,
			"invalid_input",
			"services.0.health_check.retries",
		],
		[
			"a bad source range",
			{ services: [{ ...tcp, source_ranges: ["10.0.0.0/33"] }] },
			422,
			"invalid_input",
			"services.0.source_ranges.0",
		],
		[
			"https",
			{ services: [{ protocol: "https" }] },
			422,
			"unsupported_error",
			"",
		],
		[
			"one port twice",
			{ services: [tcp, tcp] },
			422,
			"source_port_already_used",
			"",
		],
		[
			"6 services of an lb11",
			{ services: many(6) },
			403,
			"resource_limit_exceeded",
			"",
		],
		[
			"an unknown kind of target",
			{ targets: [{ type: "cat" }] },
			422,
			"invalid_input",
			"targets.0.type",
		],
		[
			"a target that is no address",
			{ targets: [ip("1.2.3")] },
			422,
			"invalid_input",
			"targets.0.ip.ip",
		],
		[
			"a target that is no server",
			{ targets: [{ type: "server", server: { id: 1 } }] },
			422,
			"invalid_input",
			"server.id",
		],
		[
			"a target twice",
			{ targets: [ip("::1"), ip("0:0::1")] },
			422,
			"target_already_defined",
			"",
		],
		[
			"26 targets of an lb11",
			{ targets: Array.from({ length: 26 }, (_, i) => ip(`10.0.0.${i}`)) },
			403,
			"resource_limit_exceeded",
			"",
		],
		[
			"a private target without a network",
			{
				targets: [
					{
						type: "label_selector",
						label_selector: { selector: "a" },
						use_private_ip: true,
					},
				],
			},
			422,
			"load_balancer_not_attached_to_network",
			"",
		],
		[
			"a bad selector",
			{
				targets: [
					{ type: "label_selector", label_selector: { selector: "a in b" } },
				],
			},
			422,
			"invalid_input",
			"targets.0.label_selector.selector",
		],
		["an unknown network", { network: 5 }, 422, "invalid_input", "network"],
	])("%s", async (_, more, status, code, field) => {
		const cloud = await testCloud();
		const { status: got, body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			...more,
		});
		expect([
			got,
			body.error.code,
			body.error.details.fields?.[0].name ?? "",
		]).toEqual([status, code, field]);
		expect(
			(await cloud.ask("GET", "/load_balancers")).body.load_balancers,
		).toEqual([]);
	});

	test("the message names the field, the value and what is allowed", async () => {
		const cloud = await testCloud();
		const { body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			services: [{ ...tcp, protocol: "sctp" }],
		});
		expect(body.error.message).toBe(
			`invalid input in field 'services.0.protocol': must be tcp, udp, http or https, got "sctp"`,
		);
	});

	test.each([
		["POST", "/load_balancers", "{", 400, "json_error"],
		["POST", "/load_balancers", "[]", 422, "invalid_input"],
		["POST", "/load_balancers", '"x"', 422, "invalid_input"],
		["GET", "/load_balancers/abc", undefined, 404, "not_found"],
		["GET", "/load_balancers/%zz", undefined, 404, "not_found"],
		["GET", "/load_balancers?page=0", undefined, 422, "invalid_input"],
		["GET", "/load_balancers?per_page=51", undefined, 422, "invalid_input"],
		["GET", "/load_balancers?sort=cats", undefined, 422, "invalid_input"],
		[
			"GET",
			"/load_balancers?label_selector=a%20b",
			undefined,
			422,
			"invalid_input",
		],
		["GET", "/cats", undefined, 404, "not_found"],
		["PATCH", "/load_balancers", undefined, 404, "not_found"],
	])("%s %s %s", async (method, path, body, status, code) => {
		const cloud = await testCloud();
		const answer = await cloud.ask(method, path, body);
		expect([answer.status, answer.body.error.code]).toEqual([status, code]);
		expect(cloud.log.lines).toEqual([]);
	});
});
