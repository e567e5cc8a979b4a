import { objectAt } from "./access.ts";
import type { Review } from "./discovery.ts";
import type { Json, JsonObject } from "./schema/decode.ts";

/** Who am I, and may I: whoever has a token may do everything. */
export function answerReview(
	review: Review,
	user: string,
	body: Json | undefined,
): JsonObject {
	const groups = ["system:masters", "system:authenticated"];
	const status: Record<string, JsonObject> = {
		SelfSubjectReview: { userInfo: { username: user, groups } },
		SelfSubjectAccessReview: { allowed: true },
		SelfSubjectRulesReview: {
			resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
			nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
			incomplete: false,
		},
	};
	const spec = objectAt(body, "spec");
	return {
		kind: review.kind,
		apiVersion: `${review.group}/v1`,
		metadata: {},
		...(Object.keys(spec).length > 0 ? { spec } : {}),
		status: status[review.kind] ?? {},
	};
}
