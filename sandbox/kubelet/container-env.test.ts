import type { Container, Pod, Service } from "../../operator/api/core.ts";
import { containerEnv, type EnvSources } from "./container-env.ts";

const pod: Pod = {
	metadata: {
		name: "web-1",
		namespace: "shop",
		uid: "u-1",
		labels: { app: "web" },
		annotations: { note: "n" },
	},
	spec: { nodeName: "node-1", serviceAccountName: "sa", containers: [] },
};
const service = (
	namespace: string,
	name: string,
	clusterIP: string,
): Service => ({
	metadata: { namespace, name },
	spec: { clusterIP, ports: [{ name: "http", port: 80 }] },
});
const sources: EnvSources = {
	pod,
	podIP: "10.244.1.2",
	hostIP: "172.30.1.1",
	hostname: "web-1",
	path: "/bin",
	image: { PORT: "8080" },
	services: [
		service("default", "kubernetes", "10.96.0.1"),
		service("shop", "db", "10.96.0.7"),
		service("other", "far", "10.96.0.8"),
	],
	configMap: (key) =>
		key === "shop/settings"
			? { metadata: { name: "settings" }, data: { color: "red", size: "9" } }
			: undefined,
	secret: (key) =>
		key === "shop/keys"
			? {
					metadata: { name: "keys" },
					data: { token: Buffer.from("sesame").toString("base64") },
				}
			: undefined,
};

const envOf = (container: Partial<Container>, more: Partial<EnvSources> = {}) =>
	containerEnv({ name: "main", ...container }, { ...sources, ...more });

it("has what a runtime sets, what the image sets, and the Services of its namespace and of the API server", () => {
	const env = envOf({});
	expect(env).toMatchObject({
		PATH: "/bin",
		HOSTNAME: "web-1",
		PORT: "8080",
		KUBERNETES_SERVICE_HOST: "10.96.0.1",
		KUBERNETES_PORT: "tcp://10.96.0.1:80",
		DB_SERVICE_HOST: "10.96.0.7",
		DB_SERVICE_PORT_HTTP: "80",
	});
	expect(Object.keys(env).filter((name) => name.startsWith("FAR"))).toEqual([]);
});

it("has only the API server's Service without enableServiceLinks", () => {
	const env = envOf(
		{},
		{ pod: { ...pod, spec: { ...pod.spec, enableServiceLinks: false } } },
	);
	expect(env).toHaveProperty("KUBERNETES_SERVICE_HOST");
	expect(env).not.toHaveProperty("DB_SERVICE_HOST");
});

it.each<[string, Partial<Container>, Record<string, string>]>([
	[
		"a variable of its own wins over the image's",
		{ env: [{ name: "PORT", value: "80" }] },
		{ PORT: "80" },
	],
	[
		"and over a Service's",
		{ env: [{ name: "DB_SERVICE_HOST", value: "mine" }] },
		{ DB_SERVICE_HOST: "mine" },
	],
	[
		"a value may name a variable before it",
		{
			env: [
				{ name: "A", value: "1" },
				{ name: "B", value: "$(A)2" },
			],
		},
		{ B: "12" },
	],
	[
		"but none after it",
		{
			env: [
				{ name: "B", value: "$(A)2" },
				{ name: "A", value: "1" },
			],
		},
		{ B: "$(A)2" },
	],
	[
		"a value may name a Service's variable",
		{ env: [{ name: "URL", value: "http://$(DB_SERVICE_HOST)" }] },
		{ URL: "http://10.96.0.7" },
	],
	["a variable without a value is empty", { env: [{ name: "A" }] }, { A: "" }],
	[
		"all of a ConfigMap",
		{ envFrom: [{ configMapRef: { name: "settings" } }] },
		{ color: "red", size: "9" },
	],
	[
		"with a prefix",
		{ envFrom: [{ prefix: "S_", secretRef: { name: "keys" } }] },
		{ S_token: "sesame" },
	],
	[
		"env wins over envFrom",
		{
			envFrom: [{ configMapRef: { name: "settings" } }],
			env: [{ name: "color", value: "blue" }],
		},
		{ color: "blue" },
	],
	[
		"env may name what came from envFrom",
		{
			envFrom: [{ configMapRef: { name: "settings" } }],
			env: [{ name: "C", value: "<$(color)>" }],
		},
		{ C: "<red>" },
	],
	[
		"a key of a ConfigMap",
		{
			env: [
				{
					name: "C",
					valueFrom: { configMapKeyRef: { name: "settings", key: "color" } },
				},
			],
		},
		{ C: "red" },
	],
	[
		"a key of a Secret, decoded",
		{
			env: [
				{
					name: "T",
					valueFrom: { secretKeyRef: { name: "keys", key: "token" } },
				},
			],
		},
		{ T: "sesame" },
	],
	...(
		[
			["metadata.name", "web-1"],
			["metadata.namespace", "shop"],
			["metadata.uid", "u-1"],
			["metadata.labels['app']", "web"],
			["metadata.annotations['note']", "n"],
			["metadata.labels['absent']", ""],
			["spec.nodeName", "node-1"],
			["spec.serviceAccountName", "sa"],
			["status.podIP", "10.244.1.2"],
			["status.hostIP", "172.30.1.1"],
		] as const
	).map(
		([fieldPath, value]): [
			string,
			Partial<Container>,
			Record<string, string>,
		] => [
			`the field ${fieldPath}`,
			{ env: [{ name: "F", valueFrom: { fieldRef: { fieldPath } } }] },
			{ F: value },
		],
	),
])("gives %s", (_what, container, expected) => {
	expect(envOf(container)).toMatchObject(expected);
});

it.each<[string, Partial<Container>, string]>([
	[
		"a ConfigMap that is not there",
		{ envFrom: [{ configMapRef: { name: "none" } }] },
		'configmap "none" not found',
	],
	[
		"a Secret that is not there",
		{
			env: [
				{ name: "T", valueFrom: { secretKeyRef: { name: "none", key: "k" } } },
			],
		},
		'secret "none" not found',
	],
	[
		"a key that a ConfigMap lacks",
		{
			env: [
				{
					name: "T",
					valueFrom: { configMapKeyRef: { name: "settings", key: "k" } },
				},
			],
		},
		"couldn't find key k in ConfigMap shop/settings",
	],
	[
		"a key that a Secret lacks",
		{
			env: [
				{ name: "T", valueFrom: { secretKeyRef: { name: "keys", key: "k" } } },
			],
		},
		"couldn't find key k in Secret shop/keys",
	],
	[
		"a field that has no value for variables",
		{ env: [{ name: "T", valueFrom: { fieldRef: { fieldPath: "spec.x" } } }] },
		"unsupported fieldPath: spec.x",
	],
	[
		"a source the sandbox does not know",
		{ env: [{ name: "T", valueFrom: { resourceFieldRef: {} } as object }] },
		"env T: the sandbox knows no valueFrom.resourceFieldRef; use value, fieldRef, configMapKeyRef or secretKeyRef",
	],
])("is refused for %s", (_what, container, message) => {
	expect(() => envOf(container)).toThrow(message);
});

it.each<[string, Partial<Container>]>([
	[
		"ConfigMap",
		{ envFrom: [{ configMapRef: { name: "none", optional: true } }] },
	],
	["Secret", { envFrom: [{ secretRef: { name: "none", optional: true } }] }],
	[
		"key",
		{
			env: [
				{
					name: "T",
					valueFrom: {
						configMapKeyRef: { name: "settings", key: "k", optional: true },
					},
				},
			],
		},
	],
])("does without an optional %s", (_what, container) => {
	expect(envOf(container)).toEqual(envOf({}));
});
