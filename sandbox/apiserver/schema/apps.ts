// Written by generate.ts; the notation is explained in types.ts.
export const apps = `
apps.Deployment: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; spec? 2 apps.DeploymentSpec;
  status? 3 apps.DeploymentStatus
apps.ReplicaSet: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; spec? 2 apps.ReplicaSetSpec;
  status? 3 apps.ReplicaSetStatus
apps.DeploymentSpec: replicas? 1 *int32; selector 2 *meta.LabelSelector; template 3 PodTemplateSpec;
  strategy? 4 apps.DeploymentStrategy retainKeys; minReadySeconds? 5 int32; revisionHistoryLimit? 6 *int32;
  paused? 7 bool; progressDeadlineSeconds? 9 *int32
apps.DeploymentStatus: observedGeneration? 1 int64; replicas? 2 int32; updatedReplicas? 3 int32;
  readyReplicas? 7 int32; availableReplicas? 4 int32; unavailableReplicas? 5 int32;
  terminatingReplicas? 9 *int32; conditions? 6 []apps.DeploymentCondition map(type) merge(type);
  collisionCount? 8 *int32
apps.ReplicaSetSpec: replicas? 1 *int32; minReadySeconds? 4 int32; selector 2 *meta.LabelSelector;
  template? 3 PodTemplateSpec
apps.ReplicaSetStatus: replicas 1 int32; fullyLabeledReplicas? 2 int32; readyReplicas? 4 int32;
  availableReplicas? 5 int32; terminatingReplicas? 7 *int32; observedGeneration? 3 int64;
  conditions? 6 []apps.ReplicaSetCondition map(type) merge(type)
apps.DeploymentStrategy: type? 1 string; rollingUpdate? 2 *apps.RollingUpdateDeployment
apps.DeploymentCondition: type 1 string; status 2 string; lastUpdateTime? 6 time; lastTransitionTime? 7 time;
  reason? 4 string; message? 5 string
apps.ReplicaSetCondition: type 1 string; status 2 string; lastTransitionTime? 3 time; reason? 4 string;
  message? 5 string
apps.RollingUpdateDeployment: maxUnavailable? 1 *intOrString; maxSurge? 2 *intOrString
`;
