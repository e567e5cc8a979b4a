import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { stringify } from "yaml";
import { makeCertificate } from "../../test/support/certificate.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import {
	base64,
	kubeconfig,
	KubeconfigFiles,
	load,
	type Parts,
} from "../../test/support/kubeconfig-files.ts";
import { quietLog } from "../../test/support/quiet-log.ts";
import { type KubeconfigSources, loadConnection } from "./kubeconfig.ts";

const files = new KubeconfigFiles();
afterAll(() => files.remove());

const ca = makeCertificate("authority");
const ann = makeCertificate("ann", { issuer: ca });
const loaded = async (parts: Parts) =>
	load({ path: await files.write(kubeconfig(parts)) });

describe("a kubeconfig", () => {
	test("gives server, namespace and token", async () => {
		const connection = await loaded({ context: { namespace: "shop" } });
		expect(connection).toMatchObject({
			namespace: "shop",
			insecureSkipTlsVerify: false,
			disableCompression: false,
			headers: {},
		});
		expect(connection.server.href).toBe("https://192.0.2.1:6443/");
		expect(await connection.credentials()).toEqual({
			authorization: "Bearer t0ken",
		});
	});

	test("gives what its cluster says about TLS and the way there", async () => {
		const connection = await loaded({
			cluster: {
				"certificate-authority-data": base64(ca.certificate),
				"tls-server-name": "kubernetes",
				"proxy-url": "http://192.0.2.9:3128",
				"disable-compression": true,
			},
		});
		expect(connection).toMatchObject({
			ca: ca.certificate,
			tlsServerName: "kubernetes",
			disableCompression: true,
		});
		expect(connection.proxyUrl?.href).toBe("http://192.0.2.9:3128/");
		expect(
			(await loaded({ cluster: { "insecure-skip-tls-verify": true } }))
				.insecureSkipTlsVerify,
		).toBe(true);
	});

	test("may name an http:// server and no user, as for kubectl proxy", async () => {
		const connection = await loaded({
			cluster: { server: "http://127.0.0.1:8001" },
			context: { user: "" },
		});
		expect(connection.server.origin).toBe("http://127.0.0.1:8001");
		expect(await connection.credentials()).toEqual({});
	});

	test("names files by paths that start at its own folder", async () => {
		await mkdir(join(files.folder, "pki"), { recursive: true });
		await files.write(ca.certificate, "pki/ca.crt");
		await files.write(ann.certificate, "pki/ann.crt");
		await files.write(ann.key, "pki/ann.key");
		const connection = await loaded({
			cluster: { "certificate-authority": "pki/ca.crt" },
			user: {
				"client-certificate": "pki/ann.crt",
				"client-key": "./pki/ann.key",
			},
		});
		expect(connection.ca).toBe(ca.certificate);
		expect(await connection.credentials()).toEqual({
			certificate: ann.certificate,
			key: ann.key,
		});
	});

	test("has data win over a file of the same field", async () => {
		const user = {
			"client-certificate": "/nowhere",
			"client-certificate-data": base64(ann.certificate),
			"client-key-data": base64(ann.key).replace(/.{20}/g, "$&\n"),
		};
		expect(await (await loaded({ user })).credentials()).toEqual({
			certificate: ann.certificate,
			key: ann.key,
		});
	});

	test("gives basic authentication", async () => {
		const connection = await loaded({
			user: { username: "ann", password: "p:ä" },
		});
		expect(await connection.credentials()).toEqual({
			authorization: `Basic ${base64("ann:p:ä")}`,
		});
	});

	test("gives impersonation headers", async () => {
		const connection = await loaded({
			user: {
				token: "t",
				as: "ann",
				"as-uid": "1",
				"as-groups": ["a", "b"],
				"as-user-extra": { "example.com/scope": ["x"] },
			},
		});
		expect(connection.headers).toEqual({
			"impersonate-user": "ann",
			"impersonate-uid": "1",
			"impersonate-group": ["a", "b"],
			"impersonate-extra-example.com%2Fscope": ["x"],
		});
	});

	test("is used with the context that was asked for", async () => {
		const contexts = [
			{ name: "main", context: { cluster: "c", user: "u" } },
			{
				name: "other",
				context: { cluster: "c", user: "u", namespace: "there" },
			},
		];
		const path = await files.write(kubeconfig({ top: { contexts } }));
		expect((await load({ path, context: "other" })).namespace).toBe("there");
	});
});

describe("the place", () => {
	const at = (namespace: string) => kubeconfig({ context: { namespace } });
	const home = async (namespace?: string) => {
		const place = await mkdtemp(join(files.folder, "home-"));
		await mkdir(join(place, ".kube"));
		if (namespace)
			await writeFile(join(place, ".kube", "config"), stringify(at(namespace)));
		return place;
	};
	const pod = async (more: Record<string, string> = {}) => {
		const directory = await mkdtemp(join(files.folder, "pod-"));
		for (const [name, content] of Object.entries({
			token: "pod-token\n",
			"ca.crt": ca.certificate,
			namespace: "in-pod",
			...more,
		}))
			if (content !== "none") await writeFile(join(directory, name), content);
		return { host: "10.96.0.1", port: "443", directory };
	};

	test("is --kubeconfig before KUBECONFIG before the home before the Pod", async () => {
		const all: KubeconfigSources = {
			clock: new FakeClock(),
			log: quietLog(),
			path: await files.write(at("flag")),
			list: await files.write(at("env")),
			home: await home("home"),
			inCluster: await pod(),
		};
		const found: string[] = [];
		found.push((await loadConnection(all)).namespace);
		const { path: _path, ...noPath } = all;
		found.push((await loadConnection(noPath)).namespace);
		const { list: _list, ...noList } = noPath;
		found.push((await loadConnection(noList)).namespace);
		found.push(
			(await loadConnection({ ...noList, home: await home() })).namespace,
		);
		expect(found).toEqual(["flag", "env", "home", "in-pod"]);
	});

	test("may be several files: the first to name something wins, absent ones are passed over", async () => {
		const first = await files.write({
			"current-context": "main",
			users: [{ name: "u", user: { token: "first" } }],
		});
		const second = await files.write(at("second"));
		const list = [join(files.folder, "absent"), first, second].join(delimiter);
		const connection = await load({ list });
		expect(connection.namespace).toBe("second");
		expect(await connection.credentials()).toEqual({
			authorization: "Bearer first",
		});
	});

	test("is a Pod's service account by IPv4 or IPv6 address", async () => {
		const inCluster = await pod();
		const connection = await load({ inCluster });
		expect(connection).toMatchObject({
			ca: ca.certificate.trim(),
			namespace: "in-pod",
			insecureSkipTlsVerify: false,
		});
		expect(connection.server.href).toBe("https://10.96.0.1/");
		expect(await connection.credentials()).toEqual({
			authorization: "Bearer pod-token",
		});
		expect(
			(
				await load({
					inCluster: { ...inCluster, host: "fd00::1", port: "6443" },
				})
			).server.href,
		).toBe("https://[fd00::1]:6443/");
	});

	const lost: [string, () => Promise<Partial<KubeconfigSources>>, RegExp][] = [
		[
			"nowhere at all",
			async () => ({ home: await home() }),
			/^no kubeconfig: .*\.kube\/config does not exist, KUBECONFIG is not set, and this is no Pod; pass --kubeconfig$/,
		],
		[
			"without a home",
			() => Promise.resolve({}),
			/^no kubeconfig: there is no home folder, /,
		],
		[
			"a KUBECONFIG that is not there",
			() => Promise.resolve({ list: join(files.folder, "absent") }),
			/^KUBECONFIG names .*absent, which does not exist; /,
		],
		[
			"a KUBECONFIG with a broken file before a good one",
			async () => {
				const broken = await files.write("a: [", "broken");
				const good = await files.write(at("good"));
				return { list: [broken, good].join(delimiter) };
			},
			/^kubeconfig .*broken is not YAML/,
		],
		[
			"a Pod without token",
			async () => ({ inCluster: await pod({ token: "none" }) }),
			/\/token does not exist; .*automountServiceAccountToken/,
		],
		[
			"a Pod with an empty token",
			async () => ({ inCluster: await pod({ token: "\n" }) }),
			/\/token is empty$/,
		],
		[
			"a Pod with a garbled token",
			async () => ({ inCluster: await pod({ token: "two halves" }) }),
			/\/token: tokenFile holds characters no token has; copy it again$/,
		],
		[
			"a Pod with a broken CA",
			async () => ({ inCluster: await pod({ "ca.crt": "x" }) }),
			/ca\.crt: .*holds no certificate that can be read/,
		],
		[
			"a Pod with a nonsense port",
			async () => ({ inCluster: { ...(await pod()), port: "https" } }),
			/^KUBERNETES_SERVICE_HOST "10.96.0.1" and KUBERNETES_SERVICE_PORT "https" make no address/,
		],
	];
	test.each(lost)("%s is one clear line", async (_, sources, message) => {
		await expect(load(await sources())).rejects.toMatchObject({
			code: "KubeconfigInvalid",
			message: expect.stringMatching(message) as string,
		});
	});
});
