// Written by generate.ts; the notation is explained in types.ts.
export const autoscaling = `
autoscaling.Scale: ~ 0 meta.TypeMeta; metadata? 1 meta.ObjectMeta; spec? 2 autoscaling.ScaleSpec;
  status? 3 autoscaling.ScaleStatus
autoscaling.ScaleSpec: replicas? 1 int32
autoscaling.ScaleStatus: replicas 1 int32; selector? 2 string
`;
