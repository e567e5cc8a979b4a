import { stringAt, textOf } from "../access.ts";
import {
	duplicate,
	type FieldError,
	invalid,
	notSupported,
	required,
} from "../field-error.ts";
import type { JsonObject } from "../schema/decode.ts";
import { familyOf } from "./ip.ts";
import {
	clusterIPsOf,
	familiesOf,
	isHeadless,
	sameList,
	specOf,
	typeOf,
} from "./view.ts";

const policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];

/** clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy (validation.go, ValidateServiceClusterIPsRelatedFields). */
export function clusterIPErrors(
	service: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	if (typeOf(service) === "ExternalName") return [];
	const errors: FieldError[] = [];
	const spec = specOf(service);
	const ip = stringAt(spec, "clusterIP");
	const ips = clusterIPsOf(service);
	const families = familiesOf(service);
	if (ip) {
		if (ips.length === 0) errors.push(required("spec.clusterIPs"));
		else if (ips[0] !== ip)
			errors.push(
				invalid("spec.clusterIPs", ips, "first value must match `clusterIP`"),
			);
	} else if (ips.length > 0)
		errors.push(
			invalid(
				"spec.clusterIPs",
				ips,
				"must be empty when `clusterIP` is not specified",
			),
		);
	for (const [index, family] of families.entries()) {
		if (!["IPv4", "IPv6"].includes(family))
			errors.push(
				notSupported(`spec.ipFamilies[${index}]`, family, ["IPv4", "IPv6"]),
			);
		if (families.indexOf(family) < index)
			errors.push(duplicate(`spec.ipFamilies[${index}]`, family));
	}
	const policy = spec["ipFamilyPolicy"];
	if (policy !== undefined && !policies.includes(textOf(policy)))
		errors.push(notSupported("spec.ipFamilyPolicy", policy, policies));
	let wrong = false;
	const before = old ? clusterIPsOf(old) : [];
	for (const [index, one] of ips.entries()) {
		if (index === 0 && one === "None") {
			if (ips.length > 1) {
				wrong = true;
				errors.push(
					invalid(
						"spec.clusterIPs",
						ips,
						"'None' must be the first and only value",
					),
				);
			}
			continue;
		}
		if (!before.includes(one) && !familyOf(one)) {
			wrong = true;
			errors.push(
				invalid(
					`spec.clusterIPs[${index}]`,
					one,
					"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
				),
			);
		}
	}
	if (ips.length > 2)
		errors.push(
			invalid("spec.clusterIPs", ips, "may only hold up to 2 values"),
		);
	if (wrong) return errors;
	if (ips.length > 1 && new Set(ips.map(familyOf)).size < 2)
		errors.push(
			invalid(
				"spec.clusterIPs",
				ips,
				"may specify no more than one IP for each IP family",
			),
		);
	if (!isHeadless(service))
		for (const [index, one] of ips.entries()) {
			const family = families[index];
			if (family !== undefined && familyOf(one) !== family)
				errors.push(
					invalid(
						`spec.clusterIPs[${index}]`,
						one,
						`expected an ${family} value as indicated by \`ipFamilies[${index}]\``,
					),
				);
		}
	return errors;
}

/** The primary address and family stay; a second one comes and goes with the policy. */
export function dualStackChangeErrors(
	service: JsonObject,
	old: JsonObject,
): FieldError[] {
	if (typeOf(service) === "ExternalName" || typeOf(old) === "ExternalName")
		return [];
	const errors: FieldError[] = [];
	const single = specOf(service)["ipFamilyPolicy"] === "SingleStack";
	const policy = specOf(service)["ipFamilyPolicy"];
	const ips = clusterIPsOf(service);
	const before = clusterIPsOf(old);
	const fixed = "may not change once set";
	if (!(isHeadless(old) && isHeadless(service))) {
		if (ips.length === before.length) {
			for (const [index, ip] of before.entries())
				if (ip !== ips[index])
					errors.push(invalid(`spec.clusterIPs[${index}]`, ips, fixed));
		} else {
			if (ips.length === 0)
				errors.push(
					invalid(
						"spec.clusterIPs[0]",
						ips,
						"primary clusterIP can not be unset",
					),
				);
			if (before.length > 0 && ips.length > 0 && ips[0] !== before[0])
				errors.push(invalid("spec.clusterIPs[0]", ips, fixed));
			if (before.length > ips.length && ips.length === 1 && !single)
				errors.push(
					invalid(
						"spec.ipFamilyPolicy",
						policy,
						"must be set to 'SingleStack' when releasing the secondary clusterIP",
					),
				);
		}
	}
	if (isHeadless(old) || isHeadless(service)) return errors;
	const families = familiesOf(service);
	const oldFamilies = familiesOf(old);
	if (families.length === oldFamilies.length) {
		if (!sameList(families, oldFamilies))
			for (const [index, family] of oldFamilies.entries())
				if (family !== families[index])
					errors.push(invalid("spec.ipFamilies[0]", families, fixed));
		return errors;
	}
	if (
		families.length > 0 &&
		oldFamilies.length > 0 &&
		families[0] !== oldFamilies[0]
	)
		errors.push(invalid("spec.ipFamilies[0]", ips, fixed));
	if (oldFamilies.length > families.length && families.length === 1 && !single)
		errors.push(
			invalid(
				"spec.ipFamilyPolicy",
				policy,
				"must be set to 'SingleStack' when releasing the secondary ipFamily",
			),
		);
	return errors;
}
