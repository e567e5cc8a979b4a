// Written by generate.ts; the notation is explained in types.ts.
export const events = `
events.Event: ~ 0 meta.TypeMeta; metadata 1 meta.ObjectMeta; eventTime 2 microTime;
  series? 3 *events.EventSeries; reportingController? 4 string; reportingInstance? 5 string; action? 6 string;
  reason? 7 string; regarding? 8 ObjectReference; related? 9 *ObjectReference; note? 10 string; type? 11 string;
  deprecatedSource? 12 EventSource; deprecatedFirstTimestamp? 13 time; deprecatedLastTimestamp? 14 time;
  deprecatedCount? 15 int32
events.EventSeries: count 1 int32; lastObservedTime 2 microTime
`;
