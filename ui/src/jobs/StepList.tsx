import { Loader, Paper, VisuallyHidden } from "@mantine/core";
import { IconCheck, IconMinus, IconX } from "@tabler/icons-react";
import type { Job, Step } from "../api/types";
import { lasted } from "../parts/time";
import { useNow } from "../parts/When";
import classes from "./JobPage.module.css";
import { stepName, stepTime, stepWords } from "./steps";

interface Props {
  job: Job;
  chosen: string | undefined;
  choose: (step: string) => void;
}

/** The steps with the time each took; a step shows its place in the log. */
export function StepList({ job, chosen, choose }: Props) {
  const now = useNow();
  return (
    <Paper component="section" aria-label="Steps" style={{ alignSelf: "start" }}>
      <ol className={classes.steps}>
        {job.steps.map((step) => {
          const time = stepTime(step, now);
          const words = step.detail ?? (step.status === "running" ? stepWords(step.name) : null);
          return (
            <li key={step.name}>
              <button
                type="button"
                className={classes.step}
                data-status={step.status}
                data-step={step.name}
                disabled={!step.started_at}
                aria-pressed={chosen === step.name}
                title={stepWords(step.name)}
                onClick={() => choose(step.name)}
              >
                <span className={classes.icon}>
                  <StepIcon status={step.status} />
                </span>
                <span>
                  <span className={classes.name}>{stepName(step.name)}</span>
                  <VisuallyHidden>: {step.status}</VisuallyHidden>
                  {words && <span className={classes.detail}>{words}</span>}
                </span>
                <span className={`${classes.time} num`}>
                  {time !== null && step.status !== "skipped" && lasted(time)}
                </span>
              </button>
            </li>
          );
        })}
      </ol>
    </Paper>
  );
}

function StepIcon({ status }: { status: Step["status"] }) {
  if (status === "success") return <IconCheck size={14} stroke={2.4} />;
  if (status === "failed") return <IconX size={14} stroke={2.4} />;
  if (status === "running") return <Loader size={16} />;
  return status === "skipped" ? <IconMinus size={14} /> : <span className="num" />;
}
