import { minimal, tcp, withServer } from "../../test/support/cloud-samples.ts";
import { closeClouds, testCloud } from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

describe("a server", () => {
	test("can stand for an address of this machine, and is reachable while it runs", async () => {
		const cloud = await testCloud();
		const server = await withServer(cloud, {
			fairlead: { address: "127.0.0.2" },
		});
		expect(server).toMatchObject({
			status: "running",
			public_net: { ipv4: { ip: "127.0.0.2" } },
		});
		const { body } = await cloud.ask("POST", "/load_balancers", {
			...minimal,
			services: [tcp],
			targets: [{ type: "server", server: { id: server.id } }],
		});
		const target = () =>
			cloud.state().balancers.find(({ id }) => id === body.load_balancer.id)
				?.targets[0];
		expect(target()).toMatchObject({
			key: `server:${server.id}`,
			address: "127.0.0.2",
			problem: null,
		});
		await cloud.act("POST", `/servers/${server.id}/actions/poweroff`);
		expect(target()).toMatchObject({
			address: null,
			problem: "the server is off",
			health: [{ status: "unhealthy" }],
		});
		await cloud.act("POST", `/servers/${server.id}/actions/poweron`);
		expect(target()).toMatchObject({ address: "127.0.0.2" });
		await cloud.act("DELETE", `/servers/${server.id}`);
		expect(target()).toBeUndefined();
	});

	test.each([
		[{ name: "a_b" }, "name"],
		[{ server_type: "huge" }, "server_type"],
		[{ image: "windows" }, "image"],
		[{ location: "mars" }, "location"],
		[{ fairlead: { address: "x" } }, "fairlead.address"],
	])("%j is refused", async (more, field) => {
		const cloud = await testCloud();
		const { status, body } = await cloud.ask("POST", "/servers", {
			name: "a",
			server_type: "cx22",
			image: "ubuntu-24.04",
			...more,
		});
		expect([status, body.error.details.fields[0].name]).toEqual([422, field]);
	});
});
