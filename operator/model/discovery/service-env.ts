import type { Service } from "../../api/core.ts";

/**
 * The variables by which a container finds Services, as the kubelet makes them (pkg/kubelet/envvars,
 * `getServiceEnvVarMap`): those of Service default/kubernetes always, and with `enableServiceLinks` those of every
 * Service with a cluster IP in the pod's own namespace. Where two Services spell the same variable (`a-b` and `a_b`
 * cannot both exist, but port names can collide) the kubelet's answer is random; here the last by name wins. A
 * variable the container sets itself wins over these: that is for the caller to see to.
 *
 * @param services Those the cluster has when the container starts; of any namespaces, in any order.
 * @param namespace The pod's.
 *
 * @example
 * serviceEnv([service], "default", true).WEB_SERVICE_HOST; // "10.96.0.17"
 */
export function serviceEnv(
	services: Iterable<Service>,
	namespace: string,
	enableServiceLinks: boolean,
): Record<string, string> {
	const seen = new Map<string, Service>();
	for (const service of services) {
		const { clusterIP } = service.spec;
		if (clusterIP === undefined || clusterIP === "" || clusterIP === "None")
			continue;
		const { name } = service.metadata;
		const own = enableServiceLinks && service.metadata.namespace === namespace;
		const master =
			service.metadata.namespace === "default" && name === "kubernetes";
		// A Service `kubernetes` of the pod's own namespace hides the API server's.
		if (own || (master && !seen.has(name))) seen.set(name, service);
	}
	const env: Record<string, string> = {};
	for (const name of [...seen.keys()].sort())
		addVariables(env, seen.get(name) as Service);
	return env;
}

function addVariables(env: Record<string, string>, service: Service): void {
	const prefix = variableName(service.metadata.name);
	const host = service.spec.clusterIP as string;
	const ports = service.spec.ports ?? [];
	env[`${prefix}_SERVICE_HOST`] = host;
	for (const [position, { name, port }] of ports.entries()) {
		if (position === 0) env[`${prefix}_SERVICE_PORT`] = String(port);
		if (name)
			env[`${prefix}_SERVICE_PORT_${variableName(name)}`] = String(port);
	}
	for (const [position, { port, protocol = "TCP" }] of ports.entries()) {
		const scheme = protocol.toLowerCase();
		const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
		if (position === 0) env[`${prefix}_PORT`] = url;
		const link = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
		env[link] = url;
		env[`${link}_PROTO`] = scheme;
		env[`${link}_PORT`] = String(port);
		env[`${link}_ADDR`] = host;
	}
}

function variableName(name: string): string {
	return name.replaceAll("-", "_").toUpperCase();
}
