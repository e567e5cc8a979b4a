/** apiextensions.k8s.io/v1 as far as a server needs it; the schema of a version is taken as it comes. See types.ts. */
export const extensions = `
ext.CustomResourceDefinition: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta;
  spec 2 ext.CustomResourceDefinitionSpec; status? 3 ext.CustomResourceDefinitionStatus
ext.CustomResourceDefinitionSpec: group 1 string; names 3 ext.CustomResourceDefinitionNames; scope 4 string;
  versions 7 []ext.CustomResourceDefinitionVersion; conversion? 9 *any; preserveUnknownFields? 10 bool
ext.CustomResourceDefinitionNames: plural 1 string; singular? 2 string; shortNames? 3 []string; kind 4 string;
  listKind? 5 string; categories? 6 []string
ext.CustomResourceDefinitionVersion: name 1 string; served 2 bool; storage 3 bool; deprecated? 7 bool;
  deprecationWarning? 8 *string; schema? 4 *ext.CustomResourceValidation;
  subresources? 5 *ext.CustomResourceSubresources;
  additionalPrinterColumns? 6 []ext.CustomResourceColumnDefinition; selectableFields? 9 []ext.SelectableField
ext.CustomResourceValidation: openAPIV3Schema? 1 *any
ext.CustomResourceSubresources: status? 1 *any; scale? 2 *ext.CustomResourceSubresourceScale
ext.CustomResourceSubresourceScale: specReplicasPath 1 string; statusReplicasPath 2 string;
  labelSelectorPath? 3 *string
ext.CustomResourceColumnDefinition: name 1 string; type 2 string; format? 3 string; description? 4 string;
  priority? 5 int32; jsonPath 6 string
ext.SelectableField: jsonPath 1 string
ext.CustomResourceDefinitionStatus: conditions? 1 []ext.CustomResourceDefinitionCondition map(type);
  acceptedNames? 2 ext.CustomResourceDefinitionNames; storedVersions 3 []string; observedGeneration? 4 int64
ext.CustomResourceDefinitionCondition: type 1 string; status 2 string; lastTransitionTime? 3 time;
  reason? 4 string; message? 5 string; observedGeneration? 6 int64
`;
