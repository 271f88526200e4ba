import { Group, NumberInput, Select, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { FormDialog } from "../parts/FormDialog";
import { type Identity, RELAY_KEY, relay } from "./relayCalls";

export function BanIdentity({ who, close }: { who: Identity; close: () => void }) {
  const act = useAct({
    run: () => relay.decide(who, "ban"),
    done: () => `${who.name} is banned.`,
    close,
    refresh: [RELAY_KEY],
  });
  return (
    <Confirm title={`Ban ${who.name}?`} verb="Ban" act={act} close={close}>
      <Text size="sm">
        Its visitors are cut off now, and this wallet cannot register the name again. You can lift the ban later.
      </Text>
      <Text size="xs" c="dimmed" className="mono" style={{ overflowWrap: "anywhere" }}>
        {who.address}
      </Text>
    </Confirm>
  );
}

/** An address, or a network where one is written; given or to be typed. */
export function BanAddress({ address = "", close }: { address?: string; close: () => void }) {
  const [network, setNetwork] = useState(address);
  const act = useAct({
    run: () => relay.banNetwork(network.trim()),
    done: () => `${network.trim()} is banned.`,
    close,
    refresh: [RELAY_KEY],
  });
  return (
    <FormDialog title="Ban an address" verb="Ban" act={act} close={close} ready={network.trim() !== ""}>
      <TextInput
        label="Address or network"
        description="As 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
        data-autofocus
        autoComplete="off"
        spellCheck={false}
        value={network}
        onChange={(event) => setNetwork(event.currentTarget.value)}
      />
      <Text size="sm">Whoever comes from there can neither open a tunnel at this relay nor visit one.</Text>
    </FormDialog>
  );
}

const UNITS = [
  { value: "1000", label: "KB/s" },
  { value: "1000000", label: "MB/s" },
];

/** Both directions of all its connections together. */
export function LimitDialog({ who, bps, close }: { who: Identity; bps: number; close: () => void }) {
  const [unit, setUnit] = useState(bps >= 1_000_000 || bps === 0 ? "1000000" : "1000");
  const [value, setValue] = useState<number | string>(bps ? bps / Number(unit) : "");
  const wanted = typeof value === "number" && value > 0 ? Math.round(value * Number(unit)) : null;
  const act = useAct({
    run: () => relay.limit(who, wanted),
    done: () => (wanted ? `${who.name} is slowed down.` : `${who.name} has no limit.`),
    close,
    refresh: [RELAY_KEY],
  });
  return (
    <FormDialog title={`Limit ${who.name}`} verb="Save" act={act} close={close} ready={wanted !== 0}>
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <NumberInput
          label="Bytes a second"
          description="All its visitors together, both directions; empty is no limit"
          data-autofocus
          flex={1}
          min={0}
          decimalScale={3}
          value={value}
          onChange={setValue}
        />
        <Select
          w={100}
          aria-label="Unit"
          data={UNITS}
          value={unit}
          allowDeselect={false}
          onChange={(next) => setUnit(next ?? unit)}
        />
      </Group>
    </FormDialog>
  );
}
