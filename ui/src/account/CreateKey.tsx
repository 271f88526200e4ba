import {
  Alert,
  Button,
  Checkbox,
  Group,
  Modal,
  NumberInput,
  Radio,
  Select,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ApiError } from "../api/client";
import { Secret } from "../parts/Secret";
import { account, ownKeysQuery, profileQuery } from "./calls";
import { canGive, REACHES, type Reach, SCOPES } from "./scopes";

const DAYS = [
  { value: "", label: "Never" },
  { value: "30", label: "In 30 days" },
  { value: "90", label: "In 90 days" },
  { value: "365", label: "In a year" },
];

/** A new key: what will use it, what it may do, how long it works. */
export function CreateKey({ opened, close }: { opened: boolean; close: () => void }) {
  const client = useQueryClient();
  const scopesHeld = useQuery(profileQuery).data?.scopes_list;
  const held = scopesHeld && [...scopesHeld, "account:*"];
  const [name, setName] = useState("");
  const [reach, setReach] = useState<Reach>("all");
  const [chosen, setChosen] = useState<string[]>(["services:read"]);
  const [days, setDays] = useState("90");
  const [rate, setRate] = useState<number | "">("");
  const scopes = reach === "own" ? chosen.join(",") : (REACHES.find((one) => one.value === reach)?.scopes ?? "*");
  const create = useMutation({
    mutationFn: () =>
      account.createKey({
        name: name.trim(),
        scopes: scopes.split(","),
        expires_in_days: days ? Number(days) : null,
        rate_limit_rpm: rate === "" ? null : rate,
      }),
    onSuccess: () => client.invalidateQueries(ownKeysQuery),
  });
  const done = () => {
    close();
    setName("");
    create.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  const made = create.data;
  const taken = create.error instanceof ApiError && create.error.status === 400;
  return (
    <Modal opened={opened} onClose={done} title={made ? "Your new key" : "Create a key"} closeOnClickOutside={!made}>
      {made ? (
        <Stack>
          <Secret what="This key" text={made.api_key} file={`${made.name}.key`} testId="new-key" />
          <Group justify="flex-end">
            <Button onClick={done}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            {create.error && !taken && (
              <Alert color="red" variant="light" p="xs" role="alert">
                {create.error.message}
              </Alert>
            )}
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
            {reach === "own" && (
              <Checkbox.Group aria-label="Scopes" value={chosen} onChange={setChosen}>
                <Stack gap={6} pl={28}>
                  {SCOPES.filter((one) => canGive(held, one.scope)).map((one) => (
                    <Checkbox key={one.scope} size="xs" value={one.scope} label={one.words} description={one.scope} />
                  ))}
                </Stack>
              </Checkbox.Group>
            )}
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
            <Group justify="flex-end">
              <Button variant="default" onClick={done}>
                Cancel
              </Button>
              <Button type="submit" loading={create.isPending} disabled={!name.trim() || !scopes}>
                Create
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
