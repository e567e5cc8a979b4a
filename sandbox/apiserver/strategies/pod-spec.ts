import {
	ensureObject,
	numberAt,
	objectAt,
	objectsAt,
	setDefault,
	stringAt,
} from "../access.ts";
import {
	duplicate,
	type FieldError,
	invalid,
	notSupported,
	required,
} from "../field-error.ts";
import { isObject, type JsonObject } from "../schema/decode.ts";

/** Defaults of core/v1 for a pod's spec, alone or in a template (pkg/apis/core/v1/defaults.go). */
export function defaultPodSpec(spec: JsonObject): void {
	setDefault(spec, "dnsPolicy", "ClusterFirst");
	setDefault(spec, "restartPolicy", "Always");
	setDefault(spec, "schedulerName", "default-scheduler");
	if (!isObject(spec["securityContext"])) spec["securityContext"] = {};
	if (spec["terminationGracePeriodSeconds"] === undefined)
		spec["terminationGracePeriodSeconds"] = 30;
	if (spec["serviceAccountName"] && !spec["serviceAccount"])
		spec["serviceAccount"] = spec["serviceAccountName"];
	for (const list of ["containers", "initContainers"])
		for (const container of objectsAt(spec, list)) {
			setDefault(
				container,
				"imagePullPolicy",
				pullPolicy(stringAt(container, "image")),
			);
			setDefault(container, "terminationMessagePath", "/dev/termination-log");
			setDefault(container, "terminationMessagePolicy", "File");
			ensureObject(container, "resources");
			for (const port of objectsAt(container, "ports")) {
				setDefault(port, "protocol", "TCP");
				if (spec["hostNetwork"] === true)
					setDefault(port, "hostPort", numberAt(port, "containerPort"));
			}
			for (const env of objectsAt(container, "env")) {
				const field = objectAt(env, "valueFrom", "fieldRef");
				if (Object.keys(field).length > 0)
					setDefault(field, "apiVersion", "v1");
			}
			for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"])
				if (isObject(container[probe])) defaultProbe(container[probe]);
			for (const hook of ["postStart", "preStop"])
				defaultHttpGet(objectAt(container, "lifecycle", hook));
		}
	for (const volume of objectsAt(spec, "volumes"))
		for (const source of ["configMap", "secret", "projected", "downwardAPI"]) {
			const one = volume[source];
			if (isObject(one) && one["defaultMode"] === undefined)
				one["defaultMode"] = 0o644;
		}
}

function defaultProbe(probe: JsonObject): void {
	setDefault(probe, "timeoutSeconds", 1);
	setDefault(probe, "periodSeconds", 10);
	setDefault(probe, "successThreshold", 1);
	setDefault(probe, "failureThreshold", 3);
	defaultHttpGet(probe);
	const grpc = probe["grpc"];
	if (isObject(grpc) && grpc["service"] === undefined) grpc["service"] = "";
}

function defaultHttpGet(handler: JsonObject): void {
	const get = handler["httpGet"];
	if (!isObject(get)) return;
	setDefault(get, "path", "/");
	setDefault(get, "scheme", "HTTP");
}

/** `latest`, named or implied, is pulled anew. */
function pullPolicy(image: string): string {
	const last = image.slice(image.lastIndexOf("/") + 1);
	if (last.includes("@")) return "IfNotPresent";
	const tag = last.split(":")[1];
	return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}

/** What a sandbox cannot run without; the real server's texts. */
export function validatePodSpec(spec: JsonObject, path: string): FieldError[] {
	const errors: FieldError[] = [];
	const containers = objectsAt(spec, "containers");
	if (containers.length === 0) errors.push(required(`${path}.containers`));
	const names = new Set<string>();
	for (const [index, container] of containers.entries()) {
		const at = `${path}.containers[${index}]`;
		const name = stringAt(container, "name");
		if (!name) errors.push(required(`${at}.name`));
		else if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) || name.length > 63)
			errors.push(
				invalid(
					`${at}.name`,
					name,
					"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
				),
			);
		else if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
		names.add(name);
		if (!stringAt(container, "image")) errors.push(required(`${at}.image`));
		for (const [n, port] of objectsAt(container, "ports").entries()) {
			const number = numberAt(port, "containerPort");
			if (!number) errors.push(required(`${at}.ports[${n}].containerPort`));
			else if (number < 1 || number > 65535)
				errors.push(
					invalid(
						`${at}.ports[${n}].containerPort`,
						number,
						"must be between 1 and 65535, inclusive",
					),
				);
			const protocol = stringAt(port, "protocol");
			if (!["SCTP", "TCP", "UDP"].includes(protocol))
				errors.push(
					notSupported(`${at}.ports[${n}].protocol`, protocol, [
						"SCTP",
						"TCP",
						"UDP",
					]),
				);
		}
	}
	const policy = stringAt(spec, "restartPolicy");
	if (policy && !["Always", "OnFailure", "Never"].includes(policy))
		errors.push(
			notSupported(`${path}.restartPolicy`, policy, [
				"Always",
				"OnFailure",
				"Never",
			]),
		);
	return errors;
}
