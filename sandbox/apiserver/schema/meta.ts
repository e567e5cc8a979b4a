// Written by generate.ts; the notation is explained in types.ts.
export const meta = `
meta.DeleteOptions: ~ 0 meta.TypeMeta; gracePeriodSeconds? 1 *int64; preconditions? 2 *meta.Preconditions;
  orphanDependents? 3 *bool; propagationPolicy? 4 *string; dryRun? 5 []string;
  ignoreStoreReadErrorWithClusterBreakingPotential? 6 *bool
meta.Status: ~ 0 meta.TypeMeta; metadata? 1 meta.ListMeta; status? 2 string; message? 3 string; reason? 4 string;
  details? 5 *meta.StatusDetails; code? 6 int32
meta.LabelSelector@: matchLabels? 1 {}string; matchExpressions? 2 []meta.LabelSelectorRequirement
meta.TypeMeta: kind? 1 string; apiVersion? 2 string
meta.ObjectMeta: name? 1 string; generateName? 2 string; namespace? 3 string; selfLink? 4 string; uid? 5 string;
  resourceVersion? 6 string; generation? 7 int64; creationTimestamp?? 8 time; deletionTimestamp? 9 *time;
  deletionGracePeriodSeconds? 10 *int64; labels? 11 {}string; annotations? 12 {}string;
  ownerReferences? 13 []meta.OwnerReference map(uid) merge(uid); finalizers? 14 []string set merge;
  managedFields? 17 []meta.ManagedFieldsEntry
meta.Preconditions: uid? 1 *string; resourceVersion? 2 *string
meta.ListMeta: selfLink? 1 string; resourceVersion? 2 string; continue? 3 string; remainingItemCount? 4 *int64;
  shardInfo? 5 *meta.ShardInfo
meta.StatusDetails: name? 1 string; group? 2 string; kind? 3 string; uid? 6 string; causes? 4 []meta.StatusCause;
  retryAfterSeconds? 5 int32
meta.LabelSelectorRequirement: key 1 string; operator 2 string; values? 3 []string
meta.OwnerReference@: apiVersion 5 string; kind 1 string; name 3 string; uid 4 string; controller? 6 *bool;
  blockOwnerDeletion? 7 *bool
meta.ManagedFieldsEntry: manager? 1 string; operation? 2 string; apiVersion? 3 string; time? 4 *time;
  fieldsType? 6 string; fieldsV1? 7 *fieldsV1; subresource? 8 string
meta.Condition: type 1 string; status 2 string; observedGeneration? 3 int64; lastTransitionTime 4 time;
  reason 5 string; message 6 string
meta.ShardInfo: selector 1 string
meta.StatusCause: reason? 1 string; message? 2 string; field? 3 string
meta.FieldSelectorRequirement: key 1 string; operator 2 string; values? 3 []string
`;
