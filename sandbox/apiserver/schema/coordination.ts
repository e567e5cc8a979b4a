// Written by generate.ts; the notation is explained in types.ts.
export const coordination = `
coordination.Lease: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; spec? 2 coordination.LeaseSpec
coordination.LeaseSpec: holderIdentity? 1 *string; leaseDurationSeconds? 2 *int32; acquireTime? 3 *microTime;
  renewTime? 4 *microTime; leaseTransitions? 5 *int32; strategy? 6 *string; preferredHolder? 7 *string
`;
