import { closeClouds, testCloud } from "../../test/support/fake-cloud.ts";

afterEach(closeClouds);

test("an SSH key has the fingerprint ssh-keygen gives it, and is there once", async () => {
	const cloud = await testCloud();
	const key =
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here";
	const { status, body } = await cloud.ask("POST", "/ssh_keys", {
		name: "mine",
		public_key: key,
	});
	expect(status).toBe(201);
	expect(body.ssh_key.fingerprint).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
	expect(
		(await cloud.ask("POST", "/ssh_keys", { name: "again", public_key: key }))
			.body.error.code,
	).toBe("uniqueness_error");
	expect(
		(
			await cloud.ask("POST", "/ssh_keys", {
				name: "bad",
				public_key: "ssh-rsa AAAA",
			})
		).body.error.code,
	).toBe("invalid_input");
	expect(
		(await cloud.ask("DELETE", `/ssh_keys/${body.ssh_key.id}`)).status,
	).toBe(204);
});
