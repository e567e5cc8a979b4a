import { createHash } from "node:crypto";
import { z } from "zod";
import type { SshKeyRecord } from "../store/records.ts";
import { invalidInput, notUnique } from "./api-error.ts";
import { type Call, type Cloud, own, paramId, type Route } from "./cloud.ts";
import { labels, parse } from "./input.ts";
import { list } from "./listing.ts";
import { checkName, readAndRename } from "./named-resources.ts";
import { renderSshKey } from "./wire.ts";

const name = z.string().min(1).max(128);
const create = z.object({
	name,
	public_key: z.string(),
	labels: labels.nullish(),
});
export function sshKeyRoutes({ store }: Cloud): Route[] {
	const get = (call: Call) =>
		own(store.get("ssh_key", paramId(call)), call, "ssh_key");
	return [
		{
			method: "get",
			path: "/ssh_keys",
			handle: (call) => {
				const { fingerprint } = call.query as { fingerprint?: string };
				return list(call.query, call.path, {
					key: "ssh_keys",
					items: store
						.all("ssh_key", call.project)
						.filter(
							(key) =>
								fingerprint === undefined || key.fingerprint === fingerprint,
						),
					sort: { id: ({ id }) => id, name: ({ name }) => name },
					render: renderSshKey,
				});
			},
		},
		{
			method: "post",
			path: "/ssh_keys",
			handle: (call) => {
				const input = parse(create, call.body);
				const fingerprint = md5Fingerprint(input.public_key);
				checkName(store, "ssh_key", call, input.name);
				if (
					store
						.all("ssh_key", call.project)
						.some((key) => key.fingerprint === fingerprint)
				)
					throw notUnique("ssh_key", "public_key");
				const key = store.transaction((tx) => {
					const key: SshKeyRecord = {
						kind: "ssh_key",
						id: tx.nextId(),
						project: call.project,
						name: input.name,
						labels: input.labels ?? {},
						created: tx.now,
						publicKey: input.public_key,
						fingerprint,
					};
					tx.put(key);
					return key;
				});
				return { status: 201, body: { ssh_key: renderSshKey(key) } };
			},
		},
		...readAndRename(store, "ssh_key", "/ssh_keys", name, renderSshKey),
		{
			method: "delete",
			path: "/ssh_keys/:id",
			handle: (call) => {
				const { id } = get(call);
				store.transaction((tx) => tx.remove(id));
				return { status: 204, body: undefined };
			},
		},
	];
}

/** The MD5 fingerprint of an OpenSSH public key, as Hetzner shows it. */
function md5Fingerprint(publicKey: string): string {
	const [, type, encoded] =
		/^(ssh-[a-z0-9-]+|ecdsa-[a-z0-9-]+|sk-[a-z0-9@.-]+) ([A-Za-z0-9+/=]+)(?: .*)?$/.exec(
			publicKey.trim(),
		) ?? [];
	const blob = Buffer.from(encoded ?? "", "base64");
	// The blob begins with its own type, a string with its length in front (RFC 4253, 6.6).
	if (
		type === undefined ||
		blob.length < 4 ||
		blob.subarray(4, 4 + blob.readUInt32BE(0)).toString() !== type
	)
		throw invalidInput([
			{
				name: "public_key",
				messages: ["must be an OpenSSH public key, such as ssh-ed25519 AAAA…"],
			},
		]);
	return createHash("md5")
		.update(blob)
		.digest("hex")
		.replace(/..(?=.)/g, "$&:");
}
