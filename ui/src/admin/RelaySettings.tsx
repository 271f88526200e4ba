import { Alert, Button, Group, NumberInput, Paper, SegmentedControl, Stack, Switch, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Copy } from "../parts/Copy";
import { Section } from "../parts/Page";
import { tell, tellProblem } from "../parts/tell";
import classes from "./Relay.module.css";
import { RELAY_KEY, type RelayStatus, relay } from "./relayCalls";

/** The rules that hold for every tunnel; each counts at once. */
export function RelaySettings({ status, can }: { status: RelayStatus; can: boolean }) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: ({ run }: { run: () => Promise<unknown>; done: string }) => run(),
    onSuccess: (_, { done }) => {
      tell(done);
      return client.invalidateQueries({ queryKey: RELAY_KEY });
    },
    onError: (error) => tellProblem(error, "Nothing was changed"),
  });
  const set = (done: string, run: () => Promise<unknown>) => change.mutate({ run, done });
  const waiting = status.counts.waiting;
  return (
    <Stack gap="lg">
      <Paper>
        <Rule
          title="New tunnels"
          text="Whether visitors reach a new tunnel at once, or only when somebody has approved it. People who are signed in here need no approval."
        >
          <SegmentedControl
            aria-label="New tunnels"
            disabled={!can || change.isPending}
            data={[
              { value: "auto", label: "Open at once" },
              { value: "manual", label: "Wait for approval" },
            ]}
            value={status.approval_mode}
            onChange={(mode) =>
              set(mode === "auto" ? "New tunnels open at once." : "New tunnels wait for an approval.", () =>
                relay.setMode(mode as "auto" | "manual"),
              )
            }
          />
        </Rule>
        <Rule title="Public list" text="Everybody sees the tunnels that do not hide, without signing in, at /tunnels.">
          <Switch
            aria-label="Public list"
            disabled={!can || change.isPending}
            checked={status.landing_page_enabled}
            onChange={(event) => {
              const on = event.currentTarget.checked;
              set(on ? "The list is public." : "The list is not public.", () => relay.setLandingPage(on));
            }}
          />
        </Rule>
        <Ports
          key={`tcp ${status.tcp_port.enabled} ${status.tcp_port.max_leases}`}
          title="TCP ports"
          text="For what is neither HTTP nor TLS: databases, games, SSH. Such a port is open to everybody."
          ports={status.tcp_port}
          can={can}
          busy={change.isPending}
          save={(body) => set("The rule for TCP ports is saved.", () => relay.setPorts("tcp-port", body))}
        />
        <Ports
          key={`udp ${status.udp.enabled} ${status.udp.max_leases}`}
          title="UDP ports"
          text="For games, voice and DNS, over QUIC between agent and relay."
          ports={status.udp}
          can={can}
          busy={change.isPending}
          save={(body) => set("The rule for UDP ports is saved.", () => relay.setPorts("udp", body))}
        />
      </Paper>
      {waiting > 0 && status.approval_mode === "manual" && (
        <Alert color="yellow" p="xs">
          {waiting === 1 ? "One tunnel waits" : `${waiting} tunnels wait`} for an approval.
        </Alert>
      )}
      <Section title="Wallets that may administer">
        <Paper>
          {status.wallets.map((wallet, index) => (
            <div key={wallet} className={classes.rule}>
              <Group gap={4} wrap="nowrap" miw={0}>
                <span className="mono" style={{ overflowWrap: "anywhere" }}>
                  {wallet}
                </span>
                <Copy text={wallet} label="Copy the wallet's address" />
              </Group>
              <Text size="xs" c="dimmed">
                {index === 0 ? "The relay's own" : "From the setting relay_wallets"}
              </Text>
            </div>
          ))}
        </Paper>
      </Section>
    </Stack>
  );
}

function Rule({ title, text, children }: { title: string; text: ReactNode; children: ReactNode }) {
  return (
    <div className={classes.rule}>
      <div>
        <Text size="sm" fw={600}>
          {title}
        </Text>
        <Text size="xs" c="dimmed">
          {text}
        </Text>
      </div>
      {children}
    </div>
  );
}

interface PortsProps {
  title: string;
  text: string;
  ports: RelayStatus["udp"];
  can: boolean;
  busy: boolean;
  save: (body: { enabled: boolean; max_leases: number }) => void;
}

function Ports({ title, text, ports, can, busy, save }: PortsProps) {
  const [most, setMost] = useState<number | string>(ports.max_leases);
  const wanted = Number(most) || 0;
  if (!ports.configured)
    return (
      <Rule title={title} text={`${text} The portal's settings give tunnels none.`}>
        <Text size="sm" c="dimmed">
          Off in the settings
        </Text>
      </Rule>
    );
  return (
    <Rule title={title} text={`${text} ${ports.taken} in use.`}>
      <Group gap="xs" wrap="nowrap">
        {ports.enabled && (
          <>
            <NumberInput
              size="xs"
              w={110}
              min={0}
              max={100_000}
              aria-label={`Most tunnels with ${title}; 0 is no limit`}
              prefix={wanted ? "at most " : ""}
              disabled={!can}
              value={most}
              onChange={setMost}
            />
            {wanted !== ports.max_leases && (
              <Button size="xs" loading={busy} onClick={() => save({ enabled: true, max_leases: wanted })}>
                Save
              </Button>
            )}
          </>
        )}
        <Switch
          aria-label={title}
          disabled={!can || busy}
          checked={ports.enabled}
          onChange={(event) => save({ enabled: event.currentTarget.checked, max_leases: ports.max_leases })}
        />
      </Group>
    </Rule>
  );
}
