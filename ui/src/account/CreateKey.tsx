import { Group, NumberInput, Radio, Select, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../api/client";
import { useAct } from "../parts/act";
import { FormDialog, Made } from "../parts/FormDialog";
import { Secret } from "../parts/Secret";
import { account, ownKeysQuery, profileQuery } from "./calls";
import { ScopeBoxes } from "./ScopeBoxes";
import { canGive, REACHES, type Reach } from "./scopes";

const DAYS = [
  { value: "", label: "Never" },
  { value: "30", label: "In 30 days" },
  { value: "90", label: "In 90 days" },
  { value: "365", label: "In a year" },
];

/** A new key: what will use it, what it may do, how long it works. */
export function CreateKey({ close }: { close: () => void }) {
  const scopesHeld = useQuery(profileQuery).data?.scopes_list;
  const held = scopesHeld && [...scopesHeld, "account:*"];
  const [name, setName] = useState("");
  const [reach, setReach] = useState<Reach>("all");
  const [chosen, setChosen] = useState<string[]>(["services:read"]);
  const [days, setDays] = useState("90");
  const [rate, setRate] = useState<number | "">("");
  const scopes = reach === "own" ? chosen.join(",") : (REACHES.find((one) => one.value === reach)?.scopes ?? "*");
  const create = useAct({
    run: () =>
      account.createKey({
        name: name.trim(),
        scopes: scopes.split(","),
        expires_in_days: days ? Number(days) : null,
        rate_limit_rpm: rate === "" ? null : rate,
      }),
    refresh: [ownKeysQuery.queryKey],
  });
  const made = create.data;
  const taken = create.error instanceof ApiError && create.error.status === 400;
  if (made)
    return (
      <Made title="Your new key" close={close}>
        <Secret what="This key" text={made.api_key} file={`${made.name}.key`} testId="new-key" />
      </Made>
    );
  return (
    <FormDialog
      title="Create a key"
      verb="Create"
      act={taken ? { ...create, error: null } : create}
      close={close}
      ready={Boolean(name.trim() && scopes)}
    >
      <TextInput
        label="Name"
        description="What will use it"
        placeholder="backup script"
        data-autofocus
        required
        withAsterisk={false}
        maxLength={100}
        value={name}
        error={taken && create.error?.message}
        onChange={(event) => {
          setName(event.currentTarget.value);
          create.reset();
        }}
      />
      <Radio.Group label="It may" value={reach} onChange={(value) => setReach(value as Reach)}>
        <Stack gap={8} mt={6}>
          {REACHES.filter((one) => one.value === "own" || canGive(held, one.scopes)).map((one) => (
            <Radio key={one.value} value={one.value} label={one.label} description={one.description} />
          ))}
        </Stack>
      </Radio.Group>
      {reach === "own" && <ScopeBoxes held={held} chosen={chosen} change={setChosen} />}
      <Group grow align="flex-start">
        <Select
          label="Expires"
          data={DAYS}
          value={days}
          onChange={(value) => setDays(value ?? "")}
          allowDeselect={false}
        />
        <NumberInput
          label="Requests a minute"
          placeholder="As the portal allows"
          min={1}
          max={1_000_000}
          allowDecimal={false}
          value={rate}
          onChange={(value) => setRate(typeof value === "number" ? value : "")}
        />
      </Group>
      <Text size="xs" c="dimmed">
        The key never may do more than you, and ends with your account.
      </Text>
    </FormDialog>
  );
}
