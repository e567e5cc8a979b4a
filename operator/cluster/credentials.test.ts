import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../test/support/certificate.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { credentialsOf } from "./credentials.ts";
import { execCredentials } from "./exec-credentials.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "fairlead-credentials-"));
});
afterEach(() => rm(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
function setting() {
	const clock = new FakeClock();
	return { clock, log: quietLog() };
}
const user = (fields: Record<string, unknown>) => ({
	file: at("config"),
	at: "users[u].user",
	fields,
});

describe("a token file", () => {
	const start = async () => {
		await writeFile(at("token"), "one\n");
		const sources = setting();
		return {
			...sources,
			credentials: await credentialsOf(user({ tokenFile: "token" }), sources),
		};
	};
	const one = { authorization: "Bearer one" };
	const two = { authorization: "Bearer two" };

	test("is read again each minute", async () => {
		const { clock, credentials } = await start();
		await writeFile(at("token"), "two\n");
		clock.pause(59_000);
		expect(await credentials()).toEqual(one);
		clock.pause(1_000);
		expect(await credentials()).toEqual(two);
	});

	test("is read again at once when the server refused what it held", async () => {
		const { credentials } = await start();
		await writeFile(at("token"), "two\n");
		expect(await credentials(one)).toEqual(two);
	});

	test("is not read again for the refusal of a token that is known to be old", async () => {
		const { credentials } = await start();
		await writeFile(at("token"), "two");
		await credentials(one);
		await writeFile(at("token"), "three");
		expect(await credentials(one)).toEqual(two);
	});

	test("that is gone, empty or garbled for a while leaves the last token in use, and is said", async () => {
		for (const spoil of [
			() => rm(at("token")),
			() => writeFile(at("token"), ""),
			() => writeFile(at("token"), "two halves"),
		]) {
			const { clock, log, credentials } = await start();
			await spoil();
			clock.pause(60_000);
			expect(await Promise.all([credentials(), credentials()])).toEqual([
				one,
				one,
			]);
			expect(log.lines).toEqual([expect.objectContaining({ level: "warn" })]);
			await writeFile(at("token"), "two");
			clock.pause(60_000);
			expect(await credentials()).toEqual(two);
		}
	});

	test("wins over a token beside it", async () => {
		await writeFile(at("token"), "one");
		expect(
			await (
				await credentialsOf(
					user({ tokenFile: "token", token: "other" }),
					setting(),
				)
			)(),
		).toEqual(one);
	});
});

test("a client certificate is renewed from its files only as a pair", async () => {
	const [first, second] = [makeCertificate("first"), makeCertificate("second")];
	await writeFile(at("crt"), first.certificate);
	await writeFile(at("key"), first.key);
	const sources = setting();
	const credentials = await credentialsOf(
		user({ "client-certificate": "crt", "client-key": "key" }),
		sources,
	);
	await writeFile(at("crt"), second.certificate);
	sources.clock.pause(60_000);
	expect(await credentials()).toEqual({
		certificate: first.certificate,
		key: first.key,
	});
	await writeFile(at("key"), second.key);
	sources.clock.pause(60_000);
	expect(await credentials()).toEqual({
		certificate: second.certificate,
		key: second.key,
	});
});

describe("an exec plugin", () => {
	/** A shell script that notes each run and then does `body`. */
	async function plugin(
		body: string,
		fields: Record<string, unknown> = {},
		timeoutMs?: number,
	) {
		await writeFile(
			at("plugin.sh"),
			`#!/bin/sh\necho run >> "${at("runs")}"\n${body}\n`,
		);
		await chmod(at("plugin.sh"), 0o755);
		const exec = {
			file: at("config"),
			at: "users[u].user.exec",
			fields: {
				apiVersion: "client.authentication.k8s.io/v1",
				command: "./plugin.sh",
				...fields,
			},
		};
		return execCredentials(
			exec,
			setting(),
			{ server: "https://192.0.2.1" },
			timeoutMs,
		);
	}
	const runs = async () =>
		(await readFile(at("runs"), "utf8")).split("\n").filter(Boolean).length;
	const printing = (status: object) =>
		`cat <<'END'\n${JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status })}\nEND`;

	test("gives a token; its path starts at the kubeconfig's folder", async () => {
		const credentials = await plugin(printing({ token: "abc" }));
		expect(await credentials()).toEqual({ authorization: "Bearer abc" });
	});

	test("gives a client certificate", async () => {
		const { certificate, key } = makeCertificate("ann");
		const credentials = await plugin(
			printing({ clientCertificateData: certificate, clientKeyData: key }),
		);
		expect(await credentials()).toEqual({ certificate, key });
	});

	test("is told arguments, environment, version, and the cluster if it asks", async () => {
		const credentials = await plugin(
			`printf '%s\\n' "$1" "$GREETING" "$KUBERNETES_EXEC_INFO" > "${at("told")}"\n${printing({ token: "abc" })}`,
			{
				args: ["get-token"],
				env: [{ name: "GREETING", value: "hi there" }],
				provideClusterInfo: true,
			},
		);
		await credentials();
		const [arg, greeting, info] = (await readFile(at("told"), "utf8")).split(
			"\n",
		);
		expect([arg, greeting]).toEqual(["get-token", "hi there"]);
		expect(JSON.parse(info ?? "")).toEqual({
			kind: "ExecCredential",
			apiVersion: "client.authentication.k8s.io/v1",
			spec: { interactive: false, cluster: { server: "https://192.0.2.1" } },
		});
	});

	test("runs once for many calls, again when its token expired, again when the server refused it", async () => {
		const credentials = await plugin(
			printing({ token: "abc", expirationTimestamp: "2999-01-01T00:00:00Z" }),
		);
		await Promise.all([credentials(), credentials(), credentials()]);
		await credentials();
		expect(await runs()).toBe(1);
		await credentials({ authorization: "Bearer abc" });
		expect(await runs()).toBe(2);
		const expired = await plugin(
			printing({ token: "abc", expirationTimestamp: "2001-01-01T00:00:00Z" }),
		);
		await expired();
		await expired();
		expect(await runs()).toBe(4);
	});

	const failures: [string, string, string, RegExp][] = [
		[
			"that fails",
			"echo 'please log in' >&2\necho 'again' >&2\nexit 3",
			"KubeUnauthorized",
			/config: users\[u\]\.user\.exec: .*plugin\.sh gave no credentials: please log in again$/,
		],
		[
			"that fails without a word",
			"exit 1",
			"KubeUnauthorized",
			/nothing on stderr/,
		],
		[
			"that prints no JSON",
			"echo hello",
			"KubeUnauthorized",
			/gave no credentials: /,
		],
		[
			"that prints another JSON",
			"echo '{}'",
			"KubeUnauthorized",
			/gave no credentials: /,
		],
		[
			"that gives nothing",
			printing({}),
			"KubeUnauthorized",
			/gave neither a token nor a client certificate$/,
		],
		[
			"that gives a token with line breaks",
			printing({ token: "a\nb" }),
			"KubeUnauthorized",
			/gave a token with characters no token has$/,
		],
		[
			"that gives a broken certificate",
			printing({ clientCertificateData: "x", clientKeyData: "y" }),
			"KubeUnauthorized",
			/gave a certificate and key that do not work: /,
		],
	];
	test.each(failures)(
		"%s is a clear error, and is run again the next time",
		async (_, body, code, message) => {
			const credentials = await plugin(body);
			for (const time of [1, 2]) {
				await expect(credentials()).rejects.toMatchObject({
					code,
					message: expect.stringMatching(message) as string,
				});
				expect(await runs()).toBe(time);
			}
		},
	);

	test("that is not installed is named, with its hint", async () => {
		const credentials = await plugin("", {
			command: "fairlead-no-such-plugin",
			installHint: "see\nhttps://example.com",
		});
		await expect(credentials()).rejects.toMatchObject({
			code: "KubeconfigInvalid",
			message: expect.stringMatching(
				/exec\.command names fairlead-no-such-plugin, which is not installed: see https:\/\/example\.com$/,
			) as string,
		});
	});

	test("that may not be run is named", async () => {
		const credentials = await plugin("");
		await chmod(at("plugin.sh"), 0o644);
		await expect(credentials()).rejects.toMatchObject({
			code: "KubeconfigInvalid",
			message: expect.stringMatching(
				/which may not be run; install it/,
			) as string,
		});
	});

	test("that waits for input finds none", async () => {
		const credentials = await plugin(`read answer || echo nobody >&2\nexit 1`);
		await expect(credentials()).rejects.toMatchObject({
			message: expect.stringMatching(/nobody$/) as string,
		});
	});

	test("that hangs is killed", async () => {
		const credentials = await plugin("exec sleep 600", {}, 50);
		await expect(credentials()).rejects.toMatchObject({
			code: "KubeUnauthorized",
			message: expect.stringMatching(
				/it may have been killed after 0\.05 s$/,
			) as string,
		});
	});
});
