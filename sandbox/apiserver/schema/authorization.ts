// Written by generate.ts; the notation is explained in types.ts.
export const authorization = `
authorization.SelfSubjectAccessReview: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta;
  spec 2 authorization.SelfSubjectAccessReviewSpec; status? 3 authorization.SubjectAccessReviewStatus
authorization.SelfSubjectRulesReview: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta;
  spec 2 authorization.SelfSubjectRulesReviewSpec; status? 3 authorization.SubjectRulesReviewStatus
authorization.SubjectAccessReview: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta;
  spec 2 authorization.SubjectAccessReviewSpec; status? 3 authorization.SubjectAccessReviewStatus
authorization.SelfSubjectAccessReviewSpec: resourceAttributes? 1 *authorization.ResourceAttributes;
  nonResourceAttributes? 2 *authorization.NonResourceAttributes
authorization.SubjectAccessReviewStatus: allowed 1 bool; denied? 4 bool; reason? 2 string;
  evaluationError? 3 string
authorization.SelfSubjectRulesReviewSpec: namespace? 1 string
authorization.SubjectRulesReviewStatus: resourceRules 1 []authorization.ResourceRule;
  nonResourceRules 2 []authorization.NonResourceRule; incomplete 3 bool; evaluationError? 4 string
authorization.SubjectAccessReviewSpec: resourceAttributes? 1 *authorization.ResourceAttributes;
  nonResourceAttributes? 2 *authorization.NonResourceAttributes; user? 3 string; groups? 4 []string;
  extra? 5 {}[]string; uid? 6 string
authorization.ResourceAttributes: namespace? 1 string; verb? 2 string; group? 3 string; version? 4 string;
  resource? 5 string; subresource? 6 string; name? 7 string;
  fieldSelector? 8 *authorization.FieldSelectorAttributes;
  labelSelector? 9 *authorization.LabelSelectorAttributes
authorization.NonResourceAttributes: path? 1 string; verb? 2 string
authorization.ResourceRule: verbs 1 []string; apiGroups? 2 []string; resources? 3 []string;
  resourceNames? 4 []string
authorization.NonResourceRule: verbs 1 []string; nonResourceURLs? 2 []string
authorization.FieldSelectorAttributes: rawSelector? 1 string; requirements? 2 []meta.FieldSelectorRequirement
authorization.LabelSelectorAttributes: rawSelector? 1 string; requirements? 2 []meta.LabelSelectorRequirement
`;
