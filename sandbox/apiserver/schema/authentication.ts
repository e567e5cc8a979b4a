// Written by generate.ts; the notation is explained in types.ts.
export const authentication = `
authentication.TokenRequest: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta;
  spec 2 authentication.TokenRequestSpec; status? 3 authentication.TokenRequestStatus
authentication.SelfSubjectReview: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta;
  status? 2 authentication.SelfSubjectReviewStatus
authentication.TokenRequestSpec: audiences 1 []string; expirationSeconds 4 *int64;
  boundObjectRef 3 *authentication.BoundObjectReference; attestations? 5 {}[]string
authentication.TokenRequestStatus: token 1 string; expirationTimestamp 2 time
authentication.SelfSubjectReviewStatus: userInfo? 1 authentication.UserInfo
authentication.BoundObjectReference: kind? 1 string; apiVersion? 2 string; name? 3 string; uid? 4 string
authentication.UserInfo: username? 1 string; uid? 2 string; groups? 3 []string; extra? 4 {}[]string
`;
