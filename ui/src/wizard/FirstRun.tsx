import { ActionIcon, Button, Group, Paper, Text, Title, Tooltip } from "@mantine/core";
import { IconCheck, IconMinus, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { profileQuery } from "../account/calls";
import { PasswordForm } from "../account/Password";
import { TwoFactorSetup } from "../account/TwoFactorSetup";
import type { Profile } from "../account/types";
import classes from "./FirstRun.module.css";
import { InviteStep } from "./InviteStep";
import { NamesStep } from "./NamesStep";
import { after, keepProgress, type Progress, readProgress, STEPS, type StepName, stepOf, wasDone } from "./progress";

const TITLES: Record<StepName, string> = {
  password: "Choose your own password",
  factor: "Protect it with your phone",
  names: "Say who you are",
  invite: "Invite somebody",
  begin: "Begin",
};

/** What a first administrator sees on Home until it is done or left; nothing for everybody else. */
export default function FirstRun() {
  const profile = useQuery({ ...profileQuery, retry: false });
  return profile.data ? <Panel key={profile.data.user_id} profile={profile.data} /> : null;
}

function Panel({ profile }: { profile: Profile }) {
  const [progress, setProgress] = useState<Progress | null>(() => readProgress(localStorage, profile.user_id));
  // The factor is turned on before its backup codes are read: the step stays until the person says so.
  const [held, setHeld] = useState<StepName | null>(null);
  const step = held ?? stepOf(profile, progress);
  if (!step) return null;
  const keep = (next: Progress) => {
    keepProgress(localStorage, profile.user_id, next);
    setProgress(next);
    setHeld(null);
  };
  const pass = () => keep(after(progress, step));
  const leave = () => keep({ past: progress?.past ?? [], left: true });
  const at = STEPS.indexOf(step);
  return (
    <Paper className={classes.panel} component="section" aria-label="First steps">
      <ol className={classes.steps} aria-label="Steps">
        {STEPS.map((one, index) => (
          <li
            key={one}
            data-state={index < at ? "past" : index === at ? "now" : "next"}
            aria-current={index === at && "step"}
          >
            <Dot state={index < at ? (wasDone(profile, one) ? "done" : "skipped") : "open"} number={index + 1} />
            <span className={classes.word}>{TITLES[one]}</span>
          </li>
        ))}
      </ol>
      <div className={classes.body}>
        <Group justify="space-between" wrap="nowrap" align="flex-start" mb={4}>
          <Title order={2} fz="lg">
            {TITLES[step]}
          </Title>
          <Tooltip label="Leave these steps; all of it is under Your account too">
            <ActionIcon aria-label="Leave these steps" onClick={leave}>
              <IconX size={17} />
            </ActionIcon>
          </Tooltip>
        </Group>
        {step === "password" && (
          <>
            <Text c="dimmed" mb="sm" maw={520}>
              The password that was printed when the portal first started is good until you choose your own. Then it
              ends.
            </Text>
            <PasswordForm
              username={profile.username}
              current="The printed password"
              action="Use this password"
              quiet
              done={pass}
              cancel={pass}
              cancelWord="Later"
            />
          </>
        )}
        {step === "factor" && <FactorStep hold={() => setHeld("factor")} pass={pass} />}
        {step === "names" && <NamesStep profile={profile} pass={pass} />}
        {step === "invite" && <InviteStep pass={pass} />}
        {step === "begin" && (
          <>
            <Text c="dimmed" mb="sm" maw={520}>
              That is all. Three ways to begin: deploy an example and see it live in seconds, upload a folder of yours,
              or deploy from a git repository.
            </Text>
            <Button onClick={pass}>Show me around</Button>
          </>
        )}
      </div>
    </Paper>
  );
}

function Dot({ state, number }: { state: "done" | "skipped" | "open"; number: number }) {
  return (
    <span className={classes.dot} data-state={state}>
      {state === "done" && <IconCheck size={13} stroke={2.6} aria-label="Done" />}
      {state === "skipped" && <IconMinus size={13} stroke={2.6} aria-label="Skipped" />}
      {state === "open" && number}
    </span>
  );
}

/** Turning it on is optional, and one click away at any time. */
function FactorStep({ hold, pass }: { hold: () => void; pass: () => void }) {
  const [started, setStarted] = useState(false);
  if (started) return <TwoFactorSetup done={pass} cancel={pass} cancelWord="Skip" />;
  return (
    <>
      <Text c="dimmed" mb="sm" maw={520}>
        Whoever learns your password still cannot come in: the sign-in asks for six digits from an app on your phone
        too. It takes a minute.
      </Text>
      <Group gap="xs">
        <Button
          onClick={() => {
            hold();
            setStarted(true);
          }}
        >
          Turn it on
        </Button>
        <Button variant="default" onClick={pass}>
          Skip
        </Button>
      </Group>
    </>
  );
}
