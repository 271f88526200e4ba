import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { socketUrl } from "../api/client";
import { jobQuery } from "../api/queries";
import type { Job, JobMessage, Step } from "../api/types";
import { LogBuffer } from "../logs/buffer";
import { type FollowState, reconnecting } from "../logs/follow";
import { stepName, stepWords } from "./steps";

const OVER = new Set(["success", "failed", "cancelled"]);

/** The job after a message of its stream; what the message does not change stays as it was. */
export function withMessage(job: Job, message: JobMessage): Job {
  if (message.type === "status" && message.status && !OVER.has(job.status))
    return { ...job, status: message.status as Job["status"] };
  if (message.type !== "step" || !message.step || !message.status) return job;
  const steps = job.steps.map((step): Step => {
    if (step.name !== message.step || step.finished_at) return step;
    if (message.status === "running")
      return { ...step, status: "running", started_at: step.started_at ?? message.timestamp };
    return { ...step, status: message.status as Step["status"], finished_at: message.timestamp };
  });
  return { ...job, step: message.status === "running" ? message.step : job.step, steps };
}

/** The log of a job, replayed from its beginning and followed to its end; keeps the job in the cache up to date. */
export function useJobLog(id: string): { buffer: LogBuffer; state: FollowState } {
  const client = useQueryClient();
  const [buffer] = useState(() => new LogBuffer(20_000));
  const [state, setState] = useState<FollowState>("connecting");
  useEffect(() => {
    let seq = 0;
    let last = "";
    const { queryKey } = jobQuery(id);
    buffer.clear();
    const receive = (data: string) => {
      const message = JSON.parse(data) as JobMessage;
      if (message.seq <= seq) return;
      seq = message.seq;
      const { timestamp, step } = message;
      if (message.type === "log") last = message.message ?? "";
      if (message.type === "log")
        buffer.add({ timestamp, step, stream: message.stream ?? "stdout", message: message.message ?? "" });
      else {
        client.setQueryData(queryKey, (job) => job && withMessage(job, message));
        if (message.type === "step" && message.status === "running" && step)
          buffer.add({
            timestamp,
            step,
            stream: "step",
            message: `${stepName(step)}: ${stepWords(step).toLowerCase()}`,
          });
        if (
          message.type === "step" &&
          message.status === "success" &&
          message.message &&
          ![step, last].includes(message.message)
        )
          buffer.add({ timestamp, step, stream: "system", message: message.message });
        if (message.type === "status" && OVER.has(message.status ?? "")) void client.invalidateQueries({ queryKey });
      }
    };
    const address = () => socketUrl(`/api/jobs/${id}/stream`, { since: seq });
    return reconnecting(address, receive, (code) => code !== 1000, setState);
  }, [id, client, buffer]);
  return { buffer, state };
}
