// Written by generate.ts; the notation is explained in types.ts.
export const core = `
Namespace: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; spec? 2 NamespaceSpec; status? 3 NamespaceStatus
Service: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; spec? 2 ServiceSpec; status? 3 ServiceStatus
Endpoints: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; subsets? 2 []EndpointSubset
Node: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; spec? 2 NodeSpec; status? 3 NodeStatus
Event: ~ 0 meta.TypeMeta; metadata 1 meta.ObjectMeta; involvedObject 2 ObjectReference; reason? 3 string;
  message? 4 string; source? 5 EventSource; firstTimestamp? 6 time; lastTimestamp? 7 time; count? 8 int32;
  type? 9 string; eventTime? 10 microTime; series? 11 *EventSeries; action? 12 string;
  related? 13 *ObjectReference; reportingComponent 14 string; reportingInstance 15 string
Secret: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; immutable? 5 *bool; data? 2 {}bytes;
  stringData? 4 {}string; type? 3 string
ConfigMap: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; immutable? 4 *bool; data? 2 {}string;
  binaryData? 3 {}bytes
ServiceAccount: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta;
  secrets? 2 []ObjectReference map(name) merge(name); imagePullSecrets? 3 []LocalObjectReference;
  automountServiceAccountToken? 4 *bool
Binding: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; target 2 ObjectReference
NamespaceSpec: finalizers? 1 []string
NamespaceStatus: phase? 1 string; conditions? 2 []NamespaceCondition map(type) merge(type)
ServiceSpec: ports? 1 []ServicePort map(port,protocol) merge(port); selector? 2 {}string atomic;
  clusterIP? 3 string; clusterIPs? 18 []string; type? 4 string; externalIPs? 5 []string;
  sessionAffinity? 7 string; loadBalancerIP? 8 string; loadBalancerSourceRanges? 9 []string;
  externalName? 10 string; externalTrafficPolicy? 11 string; healthCheckNodePort? 12 int32;
  publishNotReadyAddresses? 13 bool; sessionAffinityConfig? 14 *SessionAffinityConfig; ipFamilies? 19 []string;
  ipFamilyPolicy? 17 *string; allocateLoadBalancerNodePorts? 20 *bool; loadBalancerClass? 21 *string;
  internalTrafficPolicy? 22 *string; trafficDistribution? 23 *string
ServiceStatus: loadBalancer? 1 LoadBalancerStatus; conditions? 2 []meta.Condition map(type) merge(type)
EndpointSubset: addresses? 1 []EndpointAddress; notReadyAddresses? 2 []EndpointAddress; ports? 3 []EndpointPort
NodeSpec: podCIDR? 1 string; podCIDRs? 7 []string set merge; providerID? 3 string; unschedulable? 4 bool;
  taints? 5 []Taint; configSource? 6 *NodeConfigSource; externalID? 2 string;
  podPreemptionPolicy? 8 *NodePodPreemptionPolicy
NodeStatus: capacity? 1 {}quantity; allocatable? 2 {}quantity; phase? 3 string;
  conditions? 4 []NodeCondition map(type) merge(type); addresses? 5 []NodeAddress map(type) merge(type);
  daemonEndpoints? 6 NodeDaemonEndpoints; nodeInfo? 7 NodeSystemInfo; images? 8 []ContainerImage;
  volumesInUse? 9 []string; volumesAttached? 10 []AttachedVolume; config? 11 *NodeConfigStatus;
  runtimeHandlers? 12 []NodeRuntimeHandler; features? 13 *NodeFeatures; declaredFeatures? 14 []string
ObjectReference@: kind? 1 string; namespace? 2 string; name? 3 string; uid? 4 string; apiVersion? 5 string;
  resourceVersion? 6 string; fieldPath? 7 string
EventSource: component? 1 string; host? 2 string
EventSeries: count? 1 int32; lastObservedTime? 2 microTime
LocalObjectReference@: name? 1 string =""
NamespaceCondition: type 1 string; status 2 string; lastTransitionTime? 4 time; reason? 5 string;
  message? 6 string
ServicePort: name? 1 string; protocol? 2 string ="TCP"; appProtocol? 6 *string; port 3 int32;
  targetPort? 4 intOrString; nodePort? 5 int32
LoadBalancerStatus: ingress? 1 []LoadBalancerIngress
EndpointAddress@: ip 1 string; hostname? 3 string; nodeName? 4 *string; targetRef? 2 *ObjectReference
EndpointPort@: name? 1 string; port 2 int32; protocol? 3 string; appProtocol? 4 *string
EvictionResponder@: name 1 string; priority 2 *int32
NodeAllocatableResourceClaimStatus: resourceClaimName 1 string; containers? 2 []string set;
  mapping? 4 []NodeAllocatableMappedResources map(name) merge(name);
  overhead? 5 []NodeAllocatableOverheadResources map(name) merge(name)
Taint: key 1 string; value? 2 string; effect 3 string; timeAdded? 4 *time
NodeConfigSource: configMap? 2 *ConfigMapNodeConfigSource
NodePodPreemptionPolicy: disableResizePreemption? 1 []string set
NodeCondition: type 1 string; status 2 string; lastHeartbeatTime? 3 time; lastTransitionTime? 4 time;
  reason? 5 string; message? 6 string
NodeAddress: type 1 string; address 2 string
NodeDaemonEndpoints: kubeletEndpoint? 1 DaemonEndpoint
NodeSystemInfo: machineID 1 string; systemUUID 2 string; bootID 3 string; kernelVersion 4 string;
  osImage 5 string; containerRuntimeVersion 6 string; kubeletVersion 7 string; kubeProxyVersion 8 string;
  operatingSystem 9 string; architecture 10 string; swap? 11 *NodeSwapStatus; runningInUserNamespace? 12 *bool
AttachedVolume: name 1 string; devicePath 2 string
NodeConfigStatus: assigned? 1 *NodeConfigSource; active? 2 *NodeConfigSource; lastKnownGood? 3 *NodeConfigSource;
  error? 4 string
NodeRuntimeHandler: name 1 string; features? 2 *NodeRuntimeHandlerFeatures
NodeFeatures: supplementalGroupsPolicy? 1 *bool
ClientIPConfig: timeoutSeconds? 1 *int32
LoadBalancerIngress: ip? 1 string; hostname? 2 string; ipMode? 3 *string; ports? 4 []PortStatus
NodeAllocatableMappedResources: name 1 string; quantity 2 *quantity
NodeAllocatableOverheadResources: name 1 string; perPod? 2 *quantity; perContainer? 3 *quantity
ConfigMapNodeConfigSource: namespace 1 string; name 2 string; uid? 3 string; resourceVersion? 4 string;
  kubeletConfigKey 5 string
DaemonEndpoint: Port 1 int32
NodeSwapStatus: capacity? 1 *int64
NodeRuntimeHandlerFeatures: recursiveReadOnlyMounts? 1 *bool; userNamespaces? 2 *bool
PortStatus: port 1 int32; protocol 2 string; error? 3 *string
ConfigMapEnvSource: ~ 1 LocalObjectReference; optional? 2 *bool
SecretEnvSource: ~ 1 LocalObjectReference; optional? 2 *bool
LinuxContainerUser: uid 1 int64; gid 2 int64; supplementalGroups? 3 []int64
DownwardAPIVolumeFile: path 1 string; fieldRef? 2 *ObjectFieldSelector;
  resourceFieldRef? 3 *ResourceFieldSelector; mode? 4 *int32; user? 5 *int64
ImageVolumeStatus: imageRef? 1 string
TypedObjectReference: apiGroup 1 *string; kind 2 string; name 3 string; namespace? 4 *string
`;
