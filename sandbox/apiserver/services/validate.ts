import {
	numberAt,
	objectAt,
	stringAt,
	stringMapAt,
	stringsAt,
	textOf,
} from "../access.ts";
import {
	duplicate,
	type FieldError,
	forbiddenField,
	invalid,
	notSupported,
	required,
} from "../field-error.ts";
import { validateLabels } from "../metadata.ts";
import { dnsLabel, dnsSubdomain, qualifiedName } from "../names.ts";
import type { Json, JsonObject } from "../schema/decode.ts";
import { clusterIPErrors, dualStackChangeErrors } from "./cluster-ip-fields.ts";
import { endpointIpErrors, familyOf, parseCidr } from "./ip.ts";
import {
	clusterIPsOf,
	externallyAccessible,
	familiesOf,
	isHeadless,
	needsHealthCheckPort,
	portsOf,
	specOf,
	typeOf,
} from "./view.ts";

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const sourceRangesAnnotation =
	"service.beta.kubernetes.io/load-balancer-source-ranges";
const onlyBalancer = "may only be used when `type` is 'LoadBalancer'";

const portNumber = (field: string, port: number): FieldError[] =>
	port >= 1 && port <= 65535
		? []
		: [invalid(field, port, "must be between 1 and 65535, inclusive")];

const each = (
	field: string,
	value: Json | undefined,
	whys: string[],
): FieldError[] => whys.map((why) => invalid(field, value, why));

/** ValidateServiceCreate and ValidateServiceUpdate of 1.37, in their order, with their texts. */
export function validateService(
	service: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	const errors: FieldError[] = [];
	const spec = specOf(service);
	const type = typeOf(service);
	if (old) {
		errors.push(...dualStackChangeErrors(service, old));
		errors.push(...loadBalancerClass(service, old));
		if (
			needsHealthCheckPort(old) &&
			needsHealthCheckPort(service) &&
			spec["healthCheckNodePort"] !== specOf(old)["healthCheckNodePort"]
		)
			errors.push(
				forbiddenField("spec.healthCheckNodePort", "field is immutable"),
			);
	}
	if (
		portsOf(service).length === 0 &&
		!isHeadless(service) &&
		type !== "ExternalName"
	)
		errors.push(required("spec.ports"));
	errors.push(...byType(service));
	const names = new Set<string>();
	for (const [index, port] of portsOf(service).entries())
		errors.push(
			...portErrors(
				port,
				`spec.ports[${index}]`,
				portsOf(service).length > 1,
				names,
			),
		);
	errors.push(...validateLabels(objectAt(spec, "selector"), "spec.selector"));
	errors.push(...affinity(spec));
	errors.push(...clusterIPErrors(service, old));
	const oldExternal = stringsAt(old, "spec", "externalIPs");
	for (const [index, ip] of stringsAt(spec, "externalIPs").entries()) {
		const field = `spec.externalIPs[${index}]`;
		if (!oldExternal.includes(ip) && !familyOf(ip))
			errors.push(
				invalid(
					field,
					ip,
					"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
				),
			);
		else errors.push(...each(field, ip, endpointIpErrors(ip)));
	}
	if (!types.includes(type))
		errors.push(notSupported("spec.type", type, types));
	errors.push(...nodePortsAndDuplicates(service));
	errors.push(...sourceRanges(service, old));
	if (
		spec["allocateLoadBalancerNodePorts"] !== undefined &&
		type !== "LoadBalancer"
	)
		errors.push(
			forbiddenField("spec.allocateLoadBalancerNodePorts", onlyBalancer),
		);
	errors.push(...loadBalancerClass(service, undefined));
	errors.push(...trafficPolicies(service));
	return errors;
}

function byType(service: JsonObject): FieldError[] {
	const spec = specOf(service);
	const type = typeOf(service);
	if (type === "LoadBalancer" || type === "NodePort")
		return isHeadless(service)
			? [
					invalid(
						"spec.clusterIPs[0]",
						"None",
						`may not be set to 'None' for ${type} services`,
					),
				]
			: [];
	if (type !== "ExternalName") return [];
	const why = "may not be set for ExternalName services";
	const errors: FieldError[] = [];
	if (clusterIPsOf(service).length > 0)
		errors.push(forbiddenField("spec.clusterIPs", why));
	if (familiesOf(service).length > 0)
		errors.push(forbiddenField("spec.ipFamilies", why));
	if (spec["ipFamilyPolicy"] !== undefined)
		errors.push(forbiddenField("spec.ipFamilyPolicy", why));
	const name = stringAt(spec, "externalName").replace(/\.$/, "");
	if (!name) errors.push(required("spec.externalName"));
	else errors.push(...each("spec.externalName", name, dnsSubdomain(name)));
	return errors;
}

function portErrors(
	port: JsonObject,
	at: string,
	needsName: boolean,
	names: Set<string>,
): FieldError[] {
	const errors: FieldError[] = [];
	const name = stringAt(port, "name");
	if (needsName && !name) errors.push(required(`${at}.name`));
	else if (name) {
		errors.push(...each(`${at}.name`, name, dnsLabel(name)));
		if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
		names.add(name);
	}
	errors.push(...portNumber(`${at}.port`, numberAt(port, "port")));
	const protocol = stringAt(port, "protocol");
	if (!["SCTP", "TCP", "UDP"].includes(protocol))
		errors.push(
			notSupported(`${at}.protocol`, protocol, ["SCTP", "TCP", "UDP"]),
		);
	const target = port["targetPort"];
	if (typeof target === "string")
		errors.push(...each(`${at}.targetPort`, target, portNameErrors(target)));
	else errors.push(...portNumber(`${at}.targetPort`, Number(target)));
	const appProtocol = port["appProtocol"];
	if (typeof appProtocol === "string")
		errors.push(
			...each(`${at}.appProtocol`, appProtocol, qualifiedName(appProtocol)),
		);
	return errors;
}

/** The name of a container's port (IsValidPortName). */
function portNameErrors(name: string): string[] {
	const errors: string[] = [];
	if (name.length > 15) errors.push("must be no more than 15 bytes");
	if (!/^[-a-z0-9]+$/.test(name))
		errors.push(
			"must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
		);
	if (!/[a-z]/.test(name))
		errors.push("must contain at least one letter (a-z)");
	if (name.includes("--")) errors.push("must not contain consecutive hyphens");
	if (/^-|-$/.test(name)) errors.push("must not begin or end with a hyphen");
	return errors;
}

function affinity(spec: JsonObject): FieldError[] {
	const kind = stringAt(spec, "sessionAffinity");
	if (!["ClientIP", "None"].includes(kind))
		return [notSupported("spec.sessionAffinity", kind, ["ClientIP", "None"])];
	if (kind === "None") return [];
	const timeout = numberAt(
		spec,
		"sessionAffinityConfig",
		"clientIP",
		"timeoutSeconds",
	);
	return timeout > 0 && timeout <= 86400
		? []
		: [
				invalid(
					"spec.sessionAffinityConfig.clientIP.timeoutSeconds",
					timeout,
					"must be greater than 0 and less than 86400",
				),
			];
}

function nodePortsAndDuplicates(service: JsonObject): FieldError[] {
	const errors: FieldError[] = [];
	const ports = portsOf(service);
	if (typeOf(service) === "ClusterIP")
		for (const [index, port] of ports.entries())
			if (numberAt(port, "nodePort"))
				errors.push(
					forbiddenField(
						`spec.ports[${index}].nodePort`,
						"may not be used when `type` is 'ClusterIP'",
					),
				);
	const nodePorts = new Set<string>();
	for (const [index, port] of ports.entries()) {
		const number = numberAt(port, "nodePort");
		if (!number) continue;
		const key = `${stringAt(port, "protocol")}/${number}`;
		if (nodePorts.has(key))
			errors.push(duplicate(`spec.ports[${index}].nodePort`, number));
		nodePorts.add(key);
	}
	const numbers = new Set<string>();
	for (const [index, port] of ports.entries()) {
		const protocol = stringAt(port, "protocol");
		const number = numberAt(port, "port");
		const key = `${protocol}/${number}`;
		// The real server shows its internal ServicePort with only these two set.
		if (numbers.has(key))
			errors.push(
				duplicate(`spec.ports[${index}]`, {
					Name: "",
					Protocol: protocol,
					AppProtocol: null,
					Port: number,
					TargetPort: 0,
					NodePort: 0,
				}),
			);
		numbers.add(key);
	}
	return errors;
}

function sourceRanges(
	service: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	const errors: FieldError[] = [];
	const isBalancer = typeOf(service) === "LoadBalancer";
	const why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
	const ranges = stringsAt(service, "spec", "loadBalancerSourceRanges");
	if (ranges.length > 0) {
		const field = "spec.LoadBalancerSourceRanges";
		if (!isBalancer) errors.push(forbiddenField(field, onlyBalancer));
		const before = stringsAt(old, "spec", "loadBalancerSourceRanges").map(
			(one) => one.trim(),
		);
		for (const [index, one] of ranges.entries())
			if (!before.includes(one.trim()) && !parseCidr(one.trim()))
				errors.push(invalid(`${field}[${index}]`, one.trim(), why));
		return errors;
	}
	const annotation = stringMapAt(service, "metadata", "annotations")[
		sourceRangesAnnotation
	];
	if (annotation === undefined) return errors;
	const field = `metadata.annotations[${sourceRangesAnnotation}]`;
	if (!isBalancer) errors.push(forbiddenField(field, onlyBalancer));
	if (
		stringMapAt(old, "metadata", "annotations")[sourceRangesAnnotation] ===
			annotation ||
		!annotation.trim()
	)
		return errors;
	for (const one of annotation.trim().split(","))
		if (!parseCidr(one.trim())) errors.push(invalid(field, one.trim(), why));
	return errors;
}

function loadBalancerClass(
	service: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	const errors: FieldError[] = [];
	const field = "spec.loadBalancerClass";
	const name = specOf(service)["loadBalancerClass"];
	const isBalancer = typeOf(service) === "LoadBalancer";
	if (
		old &&
		isBalancer &&
		typeOf(old) === "LoadBalancer" &&
		name !== specOf(old)["loadBalancerClass"]
	)
		errors.push(invalid(field, name, "may not change once set"));
	if (typeof name !== "string") return errors;
	if (isBalancer) errors.push(...each(field, name, qualifiedName(name)));
	else errors.push(forbiddenField(field, onlyBalancer));
	return errors;
}

function trafficPolicies(service: JsonObject): FieldError[] {
	const errors: FieldError[] = [];
	const spec = specOf(service);
	const external = stringAt(spec, "externalTrafficPolicy");
	if (!externallyAccessible(service)) {
		if (external)
			errors.push(
				invalid(
					"spec.externalTrafficPolicy",
					external,
					"may only be set for externally-accessible services",
				),
			);
	} else if (!["Cluster", "Local"].includes(external))
		errors.push(
			notSupported("spec.externalTrafficPolicy", external, [
				"Cluster",
				"Local",
			]),
		);
	const check = numberAt(spec, "healthCheckNodePort");
	if (!needsHealthCheckPort(service)) {
		if (check)
			errors.push(
				invalid(
					"spec.healthCheckNodePort",
					check,
					"may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
				),
			);
	} else errors.push(...portNumber("spec.healthCheckNodePort", check));
	const inner = spec["internalTrafficPolicy"];
	if (inner !== undefined && !["Cluster", "Local"].includes(textOf(inner)))
		errors.push(
			notSupported("spec.internalTrafficPolicy", inner, ["Cluster", "Local"]),
		);
	const distribution = spec["trafficDistribution"];
	const known = ["PreferClose", "PreferSameZone", "PreferSameNode"];
	if (distribution !== undefined && !known.includes(textOf(distribution)))
		errors.push({
			type: "FieldValueNotSupported",
			field: "spec.trafficDistribution",
			value: distribution,
			detail: `supported values: ${known.map((one) => JSON.stringify(one)).join(", ")}`,
		});
	return errors;
}
