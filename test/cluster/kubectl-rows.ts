import { readingRows } from "./kubectl-reading-rows.ts";
import type { Row } from "./kubectl-play.ts";
import { workloadRows } from "./kubectl-workload-rows.ts";
import { writingRows } from "./kubectl-writing-rows.ts";

export const rows: Row[] = [...writingRows, ...readingRows, ...workloadRows];
