import { objectsAt, stringAt, textOf } from "../access.ts";
import {
	type FieldError,
	forbiddenField,
	invalid,
	notSupported,
	required,
} from "../field-error.ts";
import { dnsSubdomain } from "../names.ts";
import type { JsonObject } from "../schema/decode.ts";
import { familyOf } from "./ip.ts";
import { typeOf } from "./view.ts";

/** ValidateServiceStatusUpdate. */
export function validateServiceStatus(service: JsonObject): FieldError[] {
	const at = "status.loadBalancer.ingress";
	const ingress = objectsAt(service, "status", "loadBalancer", "ingress");
	if (typeOf(service) !== "LoadBalancer")
		return ingress.length > 0
			? [
					forbiddenField(
						at,
						"may only be used when `spec.type` is 'LoadBalancer'",
					),
				]
			: [];
	const errors: FieldError[] = [];
	for (const [index, one] of ingress.entries()) {
		const field = `${at}[${index}]`;
		const ip = stringAt(one, "ip");
		const mode = one["ipMode"];
		if (ip && !familyOf(ip))
			errors.push(
				invalid(
					`${field}.ip`,
					ip,
					"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
				),
			);
		if (mode === undefined && ip)
			errors.push(
				required(`${field}.ipMode`, "must be specified when `ip` is set"),
			);
		else if (mode !== undefined && !ip)
			errors.push(
				forbiddenField(
					`${field}.ipMode`,
					"may not be specified when `ip` is not set",
				),
			);
		else if (mode !== undefined && !["Proxy", "VIP"].includes(textOf(mode)))
			errors.push(notSupported(`${field}.ipMode`, mode, ["Proxy", "VIP"]));
		const host = stringAt(one, "hostname");
		if (!host) continue;
		for (const why of dnsSubdomain(host))
			errors.push(invalid(`${field}.hostname`, host, why));
		if (familyOf(host))
			errors.push(
				invalid(
					`${field}.hostname`,
					host,
					"must be a DNS name, not an IP address",
				),
			);
	}
	return errors;
}
