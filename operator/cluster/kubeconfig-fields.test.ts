import { join } from "node:path";
import { makeCertificate } from "../../test/support/certificate.ts";
import {
	base64,
	kubeconfig,
	KubeconfigFiles,
	load,
	type Parts,
} from "../../test/support/kubeconfig-files.ts";
import { isFairleadError } from "../errors.ts";

const files = new KubeconfigFiles();
afterAll(() => files.remove());

const ca = makeCertificate("authority");
const ann = makeCertificate("ann", { issuer: ca });
const eve = makeCertificate("eve", { issuer: ca });

describe("a mistake names file, field and what to do:", () => {
	const exec = (more: object) => ({
		exec: {
			apiVersion: "client.authentication.k8s.io/v1",
			command: "plugin",
			interactiveMode: "Never",
			...more,
		},
	});
	const rows: [string, string | Parts, RegExp][] = [
		["not YAML", "a: [1", /is not YAML: .*at line 1/],
		[
			"a secret in broken YAML stays hidden",
			"users: [{user: {token: hunter2}}\n  x",
			/^(?!.*hunter2).*is not YAML/,
		],
		["empty", "", /is empty; write one/],
		["only a comment", "# nothing\n", /is empty/],
		[
			"a word",
			"hello",
			/is no kubeconfig: it holds the string "hello", not a mapping/,
		],
		["a list", "- a\n- b\n", /it holds a list, not a mapping/],
		["some other object", "kind: Pod\n", /its kind is "Pod", not "Config"/],
		[
			"no current context",
			{ top: { "current-context": "" } },
			/: current-context is missing; run `kubectl config use-context NAME` or pass --context$/,
		],
		[
			"an unknown current context",
			{ top: { "current-context": "x" } },
			/: current-context "x" is not among contexts \(main\); correct it or pass --context$/,
		],
		[
			"no contexts",
			{ top: { contexts: null } },
			/: current-context "main" is not among contexts \(there are none\)/,
		],
		[
			"contexts that are no list",
			{ top: { contexts: { main: {} } } },
			/: contexts is a mapping; write a list$/,
		],
		[
			"a context that is no mapping",
			{ top: { contexts: ["main"] } },
			/: contexts\[0\] is the string "main"; write \{name, context\}$/,
		],
		[
			"a context without name",
			{ top: { contexts: [{ context: {} }] } },
			/: contexts\[0\]\.name is missing; add it$/,
		],
		[
			"a context without cluster",
			{ context: { cluster: "" } },
			/: contexts\[main\]\.context\.cluster is missing; name one of clusters$/,
		],
		[
			"an unknown cluster",
			{ context: { cluster: "x" } },
			/: contexts\[main\]\.context\.cluster "x" is not among clusters \(c\); correct it$/,
		],
		[
			"an unknown user",
			{ context: { user: "x" } },
			/: contexts\[main\]\.context\.user "x" is not among users \(u\); correct it$/,
		],
		[
			"a number for a name",
			{ context: { namespace: 7 } },
			/\.namespace is the number 7, not a string; quote it$/,
		],
		[
			"no server",
			{ cluster: { server: null } },
			/: clusters\[c\]\.cluster\.server is missing; give the API server's URL/,
		],
		[
			"a server that is no URL",
			{ cluster: { server: "192.0.2.1:6443" } },
			/\.server is "192\.0\.2\.1:6443", which is no http:\/\/ or https:\/\/ URL; correct it$/,
		],
		[
			"a server with a port that is none",
			{ cluster: { server: "https://192.0.2.1:port" } },
			/\.server is "https:\/\/192\.0\.2\.1:port", which is no/,
		],
		[
			"a proxy of another kind",
			{ cluster: { "proxy-url": "socks5://192.0.2.1" } },
			/\.proxy-url is "socks5:\/\/192\.0\.2\.1", which is no http/,
		],
		[
			"a CA that is not base64",
			{ cluster: { "certificate-authority-data": "%%%" } },
			/: clusters\[c\]\.cluster\.certificate-authority-data is not base64; encode/,
		],
		[
			"a CA that is no PEM",
			{ cluster: { "certificate-authority-data": base64("hello") } },
			/certificate-authority-data holds no PEM; give a/,
		],
		[
			"a CA that is damaged",
			{
				cluster: {
					"certificate-authority-data": base64(
						"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
					),
				},
			},
			/certificate-authority-data holds no certificate that can be read/,
		],
		[
			"a CA file that is not there",
			{ cluster: { "certificate-authority": "absent.crt" } },
			/: clusters\[c\]\.cluster\.certificate-authority names \/.*absent\.crt, which does not exist; correct the path/,
		],
		[
			"a CA file that is a folder",
			{ cluster: { "certificate-authority": "." } },
			/certificate-authority names .*, which is a folder; name a file$/,
		],
		[
			"a CA beside insecure-skip-tls-verify",
			{
				cluster: {
					"insecure-skip-tls-verify": true,
					"certificate-authority-data": base64(ca.certificate),
				},
			},
			/insecure-skip-tls-verify and certificate-authority-data are both given; remove one$/,
		],
		[
			"a flag that is a word",
			{ cluster: { "insecure-skip-tls-verify": "yes" } },
			/insecure-skip-tls-verify is the string "yes"; write true or false$/,
		],
		[
			"a token that is a number",
			{ user: { token: 12345 } },
			/: users\[u\]\.user\.token is the number 12345, not a string; quote it$/,
		],
		[
			"a token with a line break",
			{ user: { token: "hunter2\nx" } },
			/^(?!.*hunter2).*users\[u\]\.user\.token holds characters no token has/,
		],
		[
			"a token file that is not there",
			{ user: { tokenFile: "absent" } },
			/\.tokenFile names \/.*absent, which does not exist/,
		],
		[
			"a token and a user name",
			{ user: { token: "t", username: "u" } },
			/\.username and a token are both given; remove one$/,
		],
		[
			"a password without user name",
			{ user: { password: "p" } },
			/\.username is missing beside password; add it$/,
		],
		[
			"a certificate without key",
			{ user: { "client-certificate-data": base64(ann.certificate) } },
			/\.client-key is missing beside client-certificate; add it$/,
		],
		[
			"a key without certificate",
			{ user: { "client-key-data": base64(ann.key) } },
			/\.client-certificate is missing beside client-key; add it$/,
		],
		[
			"the key of another certificate",
			{
				user: {
					"client-certificate-data": base64(ann.certificate),
					"client-key-data": base64(eve.key),
				},
			},
			/\.client-key and client-certificate cannot be used together \(.*mismatch.*\)/,
		],
		[
			"an auth-provider",
			{ user: { "auth-provider": { name: "gcp" } } },
			/\.auth-provider \(gcp\) is no longer part of Kubernetes \(since 1\.26\); use the provider's exec plugin/,
		],
		[
			"as-groups without as",
			{ user: { "as-groups": ["a"] } },
			/\.as is missing; as-uid, as-groups and as-user-extra need it$/,
		],
		[
			"an exec plugin beside a token",
			{ user: { ...exec({}), token: "t" } },
			/\.exec and token are both given; remove one$/,
		],
		[
			"an exec plugin without command",
			{ user: exec({ command: "" }) },
			/\.user\.exec\.command is missing; name the credential plugin$/,
		],
		[
			"an exec plugin of an old version",
			{ user: exec({ apiVersion: "client.authentication.k8s.io/v1alpha1" }) },
			/\.exec\.apiVersion is "client\.authentication\.k8s\.io\/v1alpha1"; give .*\/v1 or /,
		],
		[
			"an exec plugin that wants to ask",
			{ user: exec({ interactiveMode: "Always" }) },
			/\.exec\.interactiveMode is Always, but nobody is there to answer/,
		],
		[
			"an exec plugin with odd env",
			{ user: exec({ env: [{ name: "A", value: 1 }] }) },
			/\.exec\.env is a list; write a list of \{name, value\}, both strings$/,
		],
		[
			"an exec plugin with odd args",
			{ user: exec({ args: "get-token" }) },
			/\.exec\.args is the string "get-token"; write a list of strings$/,
		],
	];
	test.each(rows)("%s", async (_, content, message) => {
		const path = await files.write(
			typeof content === "string" ? content : kubeconfig(content),
		);
		const error: unknown = await load({ path }).catch(
			(thrown: unknown) => thrown,
		);
		if (!isFairleadError(error, "KubeconfigInvalid")) throw error;
		expect(error.message).toMatch(message);
		expect(error.message).toContain(path);
		expect(error.message).not.toContain("\n");
	});

	const paths: [string, () => string, RegExp][] = [
		[
			"a file that is not there",
			() => join(files.folder, "absent"),
			/^kubeconfig .*absent does not exist; correct the path or create the file$/,
		],
		[
			"a folder",
			() => files.folder,
			/^kubeconfig .* is a folder; name a file$/,
		],
		[
			"a path through a file",
			() => join(files.folder, "config-1", "x"),
			/does not exist/,
		],
	];
	test.each(paths)("%s", async (_, path, message) => {
		await expect(load({ path: path() })).rejects.toMatchObject({
			code: "KubeconfigInvalid",
			message: expect.stringMatching(message) as string,
		});
	});

	test("a context that --context asks for and nobody has", async () => {
		await expect(
			load({ path: await files.write(kubeconfig()), context: "x" }),
		).rejects.toMatchObject({
			message: expect.stringMatching(
				/: contexts \(main\) lacks "x", which --context asks for; correct the flag$/,
			) as string,
		});
	});
});
