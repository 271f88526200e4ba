import { Button, Code, Group, Select, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { account } from "../account/calls";
import { Copy } from "../parts/Copy";
import { Refused } from "../parts/problems";

const ROLES = [
  { value: "user", label: "Look at services" },
  { value: "moderator", label: "Look, and keep order among people" },
  { value: "admin", label: "Everything but deleting people" },
];

/** A link that lets one person make an account. */
export function InviteStep({ pass }: { pass: () => void }) {
  const [role, setRole] = useState("user");
  const invite = useMutation({ mutationFn: () => account.invite(role) });
  const link = invite.data && `${location.origin}/register?code=${encodeURIComponent(invite.data.code)}`;
  return (
    <Stack gap="sm" maw={520}>
      <Text c="dimmed">
        A link lets one person make an account of their own. You can make more of them at any time, under Admin.
      </Text>
      <Refused error={invite.error} />
      {link ? (
        <>
          <Group gap={4} wrap="nowrap">
            <Code block flex={1} style={{ overflowWrap: "anywhere", whiteSpace: "normal" }} data-testid="invite-link">
              {link}
            </Code>
            <Copy text={link} label="Copy the link" />
          </Group>
          <Text size="xs" c="dimmed">
            Good for one account. Send it to the person; nobody else should read it.
          </Text>
          <Group>
            <Button onClick={pass}>Go on</Button>
          </Group>
        </>
      ) : (
        <>
          <Select
            label="They may"
            allowDeselect={false}
            data={ROLES}
            value={role}
            maw={340}
            onChange={(value) => setRole(value ?? "user")}
          />
          <Group gap="xs">
            <Button loading={invite.isPending} onClick={() => invite.mutate()}>
              Make a link
            </Button>
            <Button variant="default" onClick={pass}>
              Skip
            </Button>
          </Group>
        </>
      )}
    </Stack>
  );
}
