import { Badge, Button, Group, Text, Tooltip } from "@mantine/core";
import { IconLock, IconWorld } from "@tabler/icons-react";
import { useState } from "react";
import { Address } from "../parts/Address";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { Copy } from "../parts/Copy";
import { StatusWord } from "../parts/StatusWord";
import { type Tunnel, tunnels } from "./calls";
import classes from "./Tunnels.module.css";
import { ACCESS, TONES } from "./words";

/** How it does, with the reason on hover where it does not do well. */
export function TunnelStatus({ tunnel, pill }: { tunnel: Tunnel; pill?: boolean }) {
  const word = <StatusWord status={tunnel.status} tone={TONES[tunnel.status]} pill={pill} />;
  if (!tunnel.error) return word;
  return (
    <Tooltip label={tunnel.error} multiline maw={360}>
      <span>{word}</span>
    </Tooltip>
  );
}

/** Where visitors come in. */
export function Where({ tunnel, size }: { tunnel: Tunnel; size?: string }) {
  const port = tunnel.tcp_address && (
    <Group gap={4} wrap="nowrap">
      <span className="mono cut">{tunnel.tcp_address}</span>
      <Copy text={tunnel.tcp_address} label="Copy the address" />
    </Group>
  );
  if (port || tunnel.url)
    return (
      <>
        {tunnel.url && <Address url={tunnel.url} size={size} />}
        {port}
      </>
    );
  return (
    <Text size="sm" c="dimmed">
      {tunnel.status === "connecting" ? "Asking the relay…" : "–"}
    </Text>
  );
}

export function Access({ tunnel }: { tunnel: Tunnel }) {
  const guarded = tunnel.access === "signed_in";
  return (
    <Tooltip label={guarded ? `${ACCESS.signed_in} who may see the service` : "Whoever has the address"}>
      <Badge
        variant="light"
        tt="none"
        color={guarded ? "teal" : "gray"}
        leftSection={guarded ? <IconLock size={12} /> : <IconWorld size={12} />}
      >
        {guarded ? "Signed in" : ACCESS.everyone}
      </Badge>
    </Tooltip>
  );
}

/** The address for a phone that is held before the screen. */
export function Qr({ tunnel }: { tunnel: Tunnel }) {
  if (!tunnel.qr) return null;
  return <img className={classes.qr} src={tunnel.qr} alt={`QR code of ${tunnel.url}`} width={168} height={168} />;
}

export function EndButton({ tunnel, done, compact }: { tunnel: Tunnel; done?: () => void; compact?: boolean }) {
  const [asked, setAsked] = useState(false);
  const end = useAct({
    run: () => tunnels.end(tunnel.id),
    done: () => `The tunnel ${tunnel.name} has ended.`,
    close: () => {
      setAsked(false);
      done?.();
    },
    refresh: [["tunnels"]],
  });
  if (!tunnel.can_end) return null;
  return (
    <>
      <Button
        variant="default"
        size={compact ? "compact-sm" : "sm"}
        aria-label={`End ${tunnel.name}`}
        onClick={() => setAsked(true)}
      >
        End
      </Button>
      {asked && (
        <Confirm
          title={`End the tunnel ${tunnel.name}?`}
          verb="End it"
          act={end}
          close={() => {
            end.reset();
            setAsked(false);
          }}
        >
          <Text size="sm">
            {tunnel.kind === "share"
              ? "Its address stops working at once, and whoever is connected is cut off. The service itself goes on."
              : "Its address stops working at once. The agent that holds it open may register it again."}
          </Text>
        </Confirm>
      )}
    </>
  );
}
