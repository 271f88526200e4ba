import { Code, Group, NumberInput, Radio, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Copy } from "../parts/Copy";
import { FormDialog, Made } from "../parts/FormDialog";
import { fieldsOf } from "../parts/problems";
import { admin, invitesQuery, peopleQuery } from "./calls";
import { NEWCOMER_FIELDS, NewcomerFields, useNewcomer } from "./NewcomerFields";
import type { InviteType } from "./types";

/** Makes a code, and shows it together with the address where it is used. */
export function InviteDialog({ close }: { close: () => void }) {
  const people = useQuery(peopleQuery({ per_page: 1 }));
  const [type, setType] = useState<InviteType>("single_use");
  const [days, setDays] = useState(7);
  const [label, setLabel] = useState("");
  const newcomer = useNewcomer();
  const make = useAct({
    run: () =>
      admin.makeInvite({
        type,
        label: label.trim() || undefined,
        duration_days: type === "timed" ? days : undefined,
        ...newcomer.body,
      }),
    refresh: [invitesQuery.queryKey],
  });
  const problems = fieldsOf(make.error);
  const made = make.data;
  if (made) {
    const link = `${location.origin}/register?code=${encodeURIComponent(made.code)}`;
    return (
      <Made title="The invite is ready" close={close}>
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
      </Made>
    );
  }
  return (
    <FormDialog
      title="Invite people"
      verb="Make the invite"
      act={make}
      close={close}
      ready={newcomer.ready}
      fields={["label", ...(type === "timed" ? ["duration_days"] : []), ...NEWCOMER_FIELDS]}
    >
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
          error={problems.duration_days}
          onChange={(next) => setDays(Number(next) || 1)}
        />
      )}
      <NewcomerFields newcomer={newcomer} roles={people.data?.manageable_roles ?? ["user"]} problems={problems} />
      <TextInput
        label="Label"
        description="For you: whom it is for"
        maxLength={100}
        value={label}
        error={problems.label}
        onChange={(event) => setLabel(event.currentTarget.value)}
      />
    </FormDialog>
  );
}
