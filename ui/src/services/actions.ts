import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api } from "../api/calls";
import { ApiError } from "../api/client";
import { tell, tellProblem } from "../parts/tell";

export type Action = "start" | "stop" | "restart" | "reload";
const DONE = { start: "is running", stop: "is stopped", restart: "was restarted", reload: "was reloaded" };
const ING = { start: "start", stop: "stop", restart: "restart", reload: "reload" };

/** What can be done to a service from anywhere; each says how it went. `why` shows its last failed deploy, or its log. */
export function useServiceActions() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const refresh = (ref: string) =>
    Promise.all([
      client.invalidateQueries({ queryKey: ["service", ref] }),
      client.invalidateQueries({ queryKey: ["services"] }),
    ]);
  const toJob = (id: string) => navigate({ to: "/jobs/$id", params: { id } });

  const act = useMutation({
    mutationFn: ({ ref, action }: { ref: string; action: Action }) => api.act(ref, action),
    onSuccess: (_, { ref, action }) => tell(`${ref} ${DONE[action]}.`),
    onError: (error, { ref, action }) => tellProblem(error, `Could not ${ING[action]} ${ref}`),
    onSettled: (_, __, { ref }) => refresh(ref),
  });
  const redeploy = useMutation({
    mutationFn: ({ ref, upload_id }: { ref: string; upload_id?: string }) =>
      api.redeploy(ref, upload_id ? { upload_id } : {}),
    onSuccess: (started) => toJob(started.deploy_job_id),
    onError: (error, { ref }) => {
      const details = error instanceof ApiError ? (error.body.details as { deploy_job_id?: string } | null) : null;
      // A deploy is already on its way: show that one.
      if (details?.deploy_job_id) void toJob(details.deploy_job_id);
      else tellProblem(error, `Could not redeploy ${ref}`);
    },
    onSettled: (_, __, { ref }) => refresh(ref),
  });
  const rollback = useMutation({
    mutationFn: ({ ref, release }: { ref: string; release: string }) => api.rollback(ref, release),
    onSuccess: (started) => toJob(started.deploy_job_id),
    onError: (error, { ref }) => tellProblem(error, `Could not roll back ${ref}`),
  });
  const why = useMutation({
    mutationFn: (ref: string) => api.jobs({ service: ref, status: "failed", per_page: 1 }),
    onSuccess: (jobs, ref) => {
      const [job] = jobs.data;
      void (job ? toJob(job.id) : navigate({ to: "/services/$ref/logs", params: { ref } }));
    },
    onError: (error) => tellProblem(error),
  });
  return { act, redeploy, rollback, why };
}
