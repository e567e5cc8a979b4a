import type {
	ConfigMap,
	Container,
	EnvVar,
	Pod,
	Secret,
	Service,
} from "../../operator/api/core.ts";
import { serviceEnv } from "../../operator/model/discovery/service-env.ts";
import { expand } from "./expand.ts";

/** What a container's variables are made of beside its own spec. */
export interface EnvSources {
	pod: Pod;
	podIP: string;
	hostIP: string;
	hostname: string;
	path: string;
	/** What its image sets. */
	image: Record<string, string>;
	/** Those that exist as the container starts. */
	services: Iterable<Service>;
	/** By `namespace/name`. */
	configMap: (key: string) => ConfigMap | undefined;
	secret: (key: string) => Secret | undefined;
}

/** Why a container cannot be made: the message of CreateContainerConfigError. */
export class ContainerConfigError extends Error {}

/**
 * A container's environment as the kubelet makes it (pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables): envFrom,
 * then env, in which `$(NAME)` means what comes before it or a Service variable; Services fill in what is not set yet.
 * PATH, HOSTNAME and what the image sets come first of all, as from a container runtime.
 *
 * @throws ContainerConfigError for a ConfigMap, Secret, key or field that does not exist
 */
export function containerEnv(
	container: Container,
	sources: EnvSources,
): Record<string, string> {
	const { pod } = sources;
	const namespace = pod.metadata.namespace ?? "default";
	const services = serviceEnv(
		sources.services,
		namespace,
		pod.spec.enableServiceLinks ?? true,
	);
	const own: Record<string, string> = {};
	for (const from of container.envFrom ?? []) {
		const { prefix = "" } = from;
		for (const [name, value] of Object.entries(dataOf(from, sources)))
			own[prefix + name] = value;
	}
	for (const variable of container.env ?? []) {
		const value = valueOf(
			variable,
			sources,
			(name) => own[name] ?? services[name],
		);
		if (value !== undefined) own[variable.name] = value;
	}
	return {
		PATH: sources.path,
		HOSTNAME: sources.hostname,
		HOME: "/root",
		...sources.image,
		...services,
		...own,
	};
}

function dataOf(
	from: NonNullable<Container["envFrom"]>[number],
	sources: EnvSources,
): Record<string, string> {
	const { configMapRef, secretRef } = from;
	if (configMapRef) return configMap(configMapRef, sources)?.data ?? {};
	if (secretRef) return decoded(secret(secretRef, sources)?.data ?? {});
	return {};
}

function valueOf(
	variable: EnvVar,
	sources: EnvSources,
	known: (name: string) => string | undefined,
): string | undefined {
	const { valueFrom, value = "" } = variable;
	if (valueFrom === undefined) return expand(value, known);
	const { fieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
	const namespace = sources.pod.metadata.namespace ?? "default";
	if (fieldRef) return fieldOf(fieldRef.fieldPath, sources);
	if (configMapKeyRef) {
		const found = configMap(configMapKeyRef, sources)?.data ?? {};
		return keyOf(found, configMapKeyRef, `ConfigMap ${namespace}`);
	}
	if (secretKeyRef) {
		const found = decoded(secret(secretKeyRef, sources)?.data ?? {});
		return keyOf(found, secretKeyRef, `Secret ${namespace}`);
	}
	throw new ContainerConfigError(
		`env ${variable.name}: the sandbox knows no valueFrom.${Object.keys(valueFrom)[0] ?? "{}"}; use value, fieldRef, configMapKeyRef or secretKeyRef`,
	);
}

function configMap(
	ref: { name: string; optional?: boolean },
	{ pod, configMap: find }: EnvSources,
): ConfigMap | undefined {
	const found = find(`${pod.metadata.namespace ?? "default"}/${ref.name}`);
	if (!found && !ref.optional)
		throw new ContainerConfigError(`configmap "${ref.name}" not found`);
	return found;
}

function secret(
	ref: { name: string; optional?: boolean },
	{ pod, secret: find }: EnvSources,
): Secret | undefined {
	const found = find(`${pod.metadata.namespace ?? "default"}/${ref.name}`);
	if (!found && !ref.optional)
		throw new ContainerConfigError(`secret "${ref.name}" not found`);
	return found;
}

function keyOf(
	data: Record<string, string>,
	ref: { name: string; key: string; optional?: boolean },
	kind: string,
): string | undefined {
	const value = data[ref.key];
	if (value === undefined && !ref.optional)
		throw new ContainerConfigError(
			`couldn't find key ${ref.key} in ${kind}/${ref.name}`,
		);
	return value;
}

function decoded(data: Record<string, string>): Record<string, string> {
	return Object.fromEntries(
		Object.entries(data).map(([key, value]) => [
			key,
			Buffer.from(value, "base64").toString("utf8"),
		]),
	);
}

/** The downward API's fields (pkg/fieldpath, podFieldSelectorRuntimeValue). */
function fieldOf(path: string, { pod, podIP, hostIP }: EnvSources): string {
	const { metadata, spec } = pod;
	const entry = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(path);
	if (entry)
		return (
			metadata[entry[1] as "labels" | "annotations"]?.[entry[2] as string] ?? ""
		);
	switch (path) {
		case "metadata.name":
			return metadata.name;
		case "metadata.namespace":
			return metadata.namespace ?? "default";
		case "metadata.uid":
			return metadata.uid ?? "";
		case "spec.nodeName":
			return spec.nodeName ?? "";
		case "spec.serviceAccountName":
			return spec.serviceAccountName ?? "";
		case "status.podIP":
		case "status.podIPs":
			return podIP;
		case "status.hostIP":
		case "status.hostIPs":
			return hostIP;
		default:
			throw new ContainerConfigError(`unsupported fieldPath: ${path}`);
	}
}
