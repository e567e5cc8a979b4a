// Written by generate.ts; the notation is explained in types.ts.
export const policy = `
policy.Eviction: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; deleteOptions? 2 *meta.DeleteOptions
`;
