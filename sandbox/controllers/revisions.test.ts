import {
	newSetAnnotations,
	nextRevision,
	sameTemplate,
	templateHash,
} from "./revisions.ts";
import { deployment, replicaSet } from "./test-samples.ts";

const { template } = deployment().spec;

test("templates are the same whatever their hash label, their order and their empty fields", () => {
	const other = {
		spec: { ...template.spec, nodeSelector: {}, tolerations: [] },
		metadata: { labels: { "pod-template-hash": "x", app: "web" } },
	};
	expect(sameTemplate(template, other)).toBe(true);
	expect(
		sameTemplate(template, deployment({}, { image: "i:2" }).spec.template),
	).toBe(false);
});

test("the hash is of the template's meaning, and of how often it was found taken", () => {
	const [metadata, spec] = [template.metadata, template.spec];
	const reordered = {
		spec: { tolerations: [], ...spec },
		metadata: metadata ?? {},
	};
	const hash = templateHash(template, undefined);
	expect(templateHash(reordered, undefined)).toBe(hash);
	expect(templateHash(template, 1)).not.toBe(hash);
	expect(
		templateHash(deployment({}, { image: "i:2" }).spec.template, undefined),
	).not.toBe(hash);
	expect(hash).toMatch(/^[b-z0-9]{1,10}$/);
});

test("a new revision follows the highest there is", () => {
	expect(nextRevision([])).toBe(1);
	expect(nextRevision([replicaSet(7, 0), replicaSet(3, 0)])).toBe(8);
});

test("a ReplicaSet has its Deployment's annotations, but not those that are about the Deployment itself", () => {
	const given = deployment(
		{},
		{
			annotations: {
				note: "copied",
				"kubectl.kubernetes.io/last-applied-configuration": "{}",
				"deployment.kubernetes.io/revision": "99",
			},
		},
	);
	expect(newSetAnnotations(given, { own: "kept" }, 3)).toEqual({
		note: "copied",
		own: "kept",
		"deployment.kubernetes.io/revision": "3",
	});
});

const revision = "deployment.kubernetes.io/revision";
const history = "deployment.kubernetes.io/revision-history";

test.each([
	["a lower revision is raised, and remembered", { [revision]: "1" }, "5", "1"],
	["and again", { [revision]: "3", [history]: "1" }, "5", "1,3"],
	["a higher one stays", { [revision]: "8" }, "8", undefined],
	["one that is no number stays", { [revision]: "x" }, "x", undefined],
])("%s", (_, present, expected, remembered) => {
	const found = newSetAnnotations(deployment(), present, 5);
	expect(found[revision]).toBe(expected);
	expect(found[history]).toBe(remembered);
});

test("history does not grow without end", () => {
	const long = Array.from({ length: 600 }, (_, index) => index + 1).join(",");
	const found = newSetAnnotations(
		deployment(),
		{ [revision]: "601", [history]: long },
		700,
	)[history];
	expect(found?.length).toBeLessThanOrEqual(2_000);
	expect(found).toMatch(/,600,601$/);
});
