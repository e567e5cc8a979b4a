import { clone, equal } from "../json.ts";
import {
	ensureObject,
	numberAt,
	objectAt,
	setDefault,
	stringMapAt,
	valueAt,
} from "../access.ts";
import { invalid, type FieldError, required } from "../field-error.ts";
import type { JsonObject } from "../schema/decode.ts";
import { matchesLabelSelector } from "../label-selector.ts";
import type { Strategy } from "../strategy.ts";
import { defaultPodSpec, validatePodSpec } from "./pod-spec.ts";

const scale = {
	replicas: ["spec", "replicas"],
	statusReplicas: ["status", "replicas"],
	selector: ["spec", "selector"],
};

function validateWorkload(
	object: JsonObject,
	old: JsonObject | undefined,
): FieldError[] {
	const errors: FieldError[] = [];
	const spec = objectAt(object, "spec");
	const replicas = numberAt(spec, "replicas");
	if (replicas < 0)
		errors.push(
			invalid("spec.replicas", replicas, "must be greater than or equal to 0"),
		);
	const selector = objectAt(spec, "selector");
	if (Object.keys(selector).length === 0) {
		errors.push(required("spec.selector"));
		if (
			valueAt(spec, "selector") === null ||
			valueAt(spec, "selector") === undefined
		)
			errors.push(
				invalid(
					"spec.template.metadata.labels",
					objectAt(spec, "template", "metadata", "labels"),
					"`selector` does not match template `labels`",
				),
			);
		else
			errors.splice(
				-1,
				1,
				invalid(
					"spec.selector",
					selector,
					"empty selector is invalid for deployment",
				),
			);
	} else if (
		!matchesLabelSelector(
			selector,
			stringMapAt(spec, "template", "metadata", "labels"),
		)
	)
		errors.push(
			invalid(
				"spec.template.metadata.labels",
				objectAt(spec, "template", "metadata", "labels"),
				"`selector` does not match template `labels`",
			),
		);
	errors.push(
		...validatePodSpec(
			objectAt(spec, "template", "spec"),
			"spec.template.spec",
		),
	);
	if (old && !equal(selector, objectAt(old, "spec", "selector")))
		errors.push(invalid("spec.selector", selector, "field is immutable"));
	return errors;
}

/** Status belongs to the status subresource, everything else to the object. */
const keepStatus: Pick<
	Strategy,
	"prepareForCreate" | "prepareForUpdate" | "prepareForStatus"
> = {
	prepareForCreate(object) {
		object["status"] = {};
	},
	prepareForUpdate(object, old) {
		object["status"] = clone(objectAt(old, "status"));
	},
	prepareForStatus(object, old) {
		object["spec"] = clone(objectAt(old, "spec"));
	},
};

export const deploymentStrategy: Strategy = {
	...keepStatus,
	// Annotations are copied to ReplicaSets: a controller has to act on them.
	generation: "and annotations",
	scale,
	defaults(object) {
		const spec = ensureObject(object, "spec");
		if (typeof spec["replicas"] !== "number") spec["replicas"] = 1;
		const strategy = ensureObject(spec, "strategy");
		setDefault(strategy, "type", "RollingUpdate");
		if (strategy["type"] === "RollingUpdate") {
			const rolling = ensureObject(strategy, "rollingUpdate");
			if (rolling["maxUnavailable"] === undefined)
				rolling["maxUnavailable"] = "25%";
			if (rolling["maxSurge"] === undefined) rolling["maxSurge"] = "25%";
		}
		if (spec["revisionHistoryLimit"] === undefined)
			spec["revisionHistoryLimit"] = 10;
		if (spec["progressDeadlineSeconds"] === undefined)
			spec["progressDeadlineSeconds"] = 600;
		defaultPodSpec(ensureObject(ensureObject(spec, "template"), "spec"));
	},
	validate: validateWorkload,
};

export const replicaSetStrategy: Strategy = {
	...keepStatus,
	generation: true,
	scale,
	fields: {
		"status.replicas": (set) => String(numberAt(set, "status", "replicas")),
	},
	prepareForCreate(object) {
		object["status"] = { replicas: 0 };
	},
	defaults(object) {
		const spec = ensureObject(object, "spec");
		if (typeof spec["replicas"] !== "number") spec["replicas"] = 1;
		defaultPodSpec(ensureObject(ensureObject(spec, "template"), "spec"));
	},
	validate: validateWorkload,
};
