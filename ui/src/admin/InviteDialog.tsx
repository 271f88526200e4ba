import { Alert, Button, Code, Group, Modal, NumberInput, Radio, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ApiError } from "../api/client";
import { Copy } from "../parts/Copy";
import { admin, invitesQuery, peopleQuery } from "./calls";
import { ROLE_WORDS } from "./RoleDialog";
import type { InviteType, Role } from "./types";

/** Makes a code, and shows it together with the address where it is used. */
export function InviteDialog({ close }: { close: () => void }) {
  const client = useQueryClient();
  const people = useQuery(peopleQuery({ per_page: 1 }));
  const [type, setType] = useState<InviteType>("single_use");
  const [days, setDays] = useState(7);
  const [label, setLabel] = useState("");
  const [role, setRole] = useState<Role>("user");
  const make = useMutation({
    mutationFn: () =>
      admin.makeInvite({
        type,
        label: label.trim() || undefined,
        duration_days: type === "timed" ? days : undefined,
        role,
      }),
    onSuccess: () => client.invalidateQueries(invitesQuery),
  });
  const fields = make.error instanceof ApiError ? make.error.fields : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  const made = make.data;
  if (made) {
    const link = `${location.origin}/register?code=${encodeURIComponent(made.code)}`;
    return (
      <Modal opened onClose={close} title="The invite is ready">
        <Stack>
          <Text size="sm">Send this link. Whoever opens it chooses a name and a password.</Text>
          <Group gap={4} wrap="nowrap">
            <Code fz="sm" style={{ overflowWrap: "anywhere" }} data-testid="invite">
              {link}
            </Code>
            <Copy text={link} label="Copy the link" />
          </Group>
          <Text size="xs" c="dimmed">
            Without the link, the code is {made.code}. Both stay in the list.
          </Text>
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      </Modal>
    );
  }
  return (
    <Modal opened onClose={close} title="Invite people">
      <form onSubmit={submit}>
        <Stack>
          {make.error && Object.keys(fields).length === 0 && (
            <Alert color="red" p="xs" role="alert">
              {make.error.message}
            </Alert>
          )}
          <Radio.Group label="For whom" value={type} onChange={(next) => setType(next as InviteType)}>
            <Stack gap={8} mt={6}>
              <Radio value="single_use" label="One person" description="The code works once" />
              <Radio value="timed" label="Several, for a time" description="Until it expires or you revoke it" />
              <Radio value="daily" label="Several, today" description="Until midnight, UTC" />
            </Stack>
          </Radio.Group>
          {type === "timed" && (
            <NumberInput
              label="Days"
              min={1}
              max={365}
              value={days}
              error={fields.duration_days}
              onChange={(next) => setDays(Number(next) || 1)}
            />
          )}
          <Select
            label="Role"
            allowDeselect={false}
            data={(people.data?.manageable_roles ?? ["user"]).map((one) => ({ value: one, label: ROLE_WORDS[one] }))}
            value={role}
            error={fields.role}
            onChange={(next) => setRole((next ?? "user") as Role)}
          />
          <TextInput
            label="Label"
            description="For you: whom it is for"
            maxLength={100}
            value={label}
            error={fields.label}
            onChange={(event) => setLabel(event.currentTarget.value)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={make.isPending}>
              Make the invite
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
