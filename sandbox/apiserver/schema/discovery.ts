// Written by generate.ts; the notation is explained in types.ts.
export const discovery = `
discovery.EndpointSlice: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; addressType 4 string;
  endpoints 2 []discovery.Endpoint; ports 3 []discovery.EndpointPort
discovery.Endpoint: addresses 1 []string set; conditions? 2 discovery.EndpointConditions; hostname? 3 *string;
  targetRef? 4 *ObjectReference; deprecatedTopology? 5 {}string; nodeName? 6 *string; zone? 7 *string;
  hints? 8 *discovery.EndpointHints
discovery.EndpointPort@: name? 1 *string; protocol? 2 *string; port? 3 *int32; appProtocol? 4 *string
discovery.EndpointConditions: ready? 1 *bool; serving? 2 *bool; terminating? 3 *bool
discovery.EndpointHints: forZones? 1 []discovery.ForZone; forNodes? 2 []discovery.ForNode
discovery.ForZone: name 1 string
discovery.ForNode: name 1 string
`;
