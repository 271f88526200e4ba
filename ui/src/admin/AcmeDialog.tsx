import { Alert, Button, Code, Group, Modal, Radio, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Copy } from "../parts/Copy";
import { FormDialog } from "../parts/FormDialog";
import { fieldsOf, Refused } from "../parts/problems";
import { StatusWord } from "../parts/StatusWord";
import { tell } from "../parts/tell";
import { admin } from "./calls";
import type { AcmeOrder, Challenge } from "./types";

const CHALLENGES: { value: Challenge; label: string; description: string }[] = [
  { value: "http-01", label: "Port 80", description: "The authority fetches a file from http://your-name/" },
  { value: "tls-alpn-01", label: "Port 443", description: "The authority connects to this portal's own port on 443" },
  { value: "dns-01", label: "A DNS record", description: "You set a TXT record; works for *.names and at home" },
];

/** A certificate that every browser trusts, from Let's Encrypt or another ACME authority. */
export function AcmeDialog({ close }: { close: () => void }) {
  const client = useQueryClient();
  const [hostname, setHostname] = useState("");
  const [names, setNames] = useState<string[]>([]);
  const [email, setEmail] = useState("");
  const [challenge, setChallenge] = useState<Challenge>("http-01");
  const order = useMutation({
    mutationFn: () =>
      admin.orderCertificate({ hostname: hostname.trim(), names, email: email.trim() || undefined, challenge }),
    onSuccess: (done) => {
      if (done.status !== "installed") return;
      tell(done.message);
      close();
      return client.invalidateQueries({ queryKey: ["admin", "certs"] });
    },
  });
  const problems = fieldsOf(order.error);
  if (order.data?.order) return <Progress order={order.data.order} close={close} />;
  return (
    <FormDialog
      title="Get a certificate from Let's Encrypt"
      verb="Order"
      act={order}
      close={close}
      ready={Boolean(hostname.trim())}
      fields={["hostname", "names", "email", "challenge"]}
      size="lg"
    >
      <TextInput
        label="Host name"
        description="It must lead to this portal from the internet"
        placeholder="home.example.org"
        data-autofocus
        spellCheck={false}
        autoCapitalize="none"
        value={hostname}
        error={problems.hostname}
        onChange={(event) => setHostname(event.currentTarget.value)}
      />
      <TagsInput
        label="Further names"
        description="Optional; in the same certificate"
        value={names}
        error={problems.names}
        splitChars={[",", " "]}
        onChange={setNames}
      />
      <TextInput
        label="E-mail"
        description="Optional; for the authority to write to"
        type="email"
        value={email}
        error={problems.email}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
      <Radio.Group
        label="How the authority checks that the name is yours"
        value={challenge}
        error={problems.challenge}
        onChange={(next) => setChallenge(next as Challenge)}
      >
        <Stack gap={8} mt={6}>
          {CHALLENGES.map((one) => (
            <Radio key={one.value} {...one} />
          ))}
        </Stack>
      </Radio.Group>
      <Text size="xs" c="dimmed">
        By ordering you agree to the terms of the authority. The certificate renews itself from then on.
      </Text>
    </FormDialog>
  );
}

/** An order that is under way: what the person has to set, and how it ended. */
function Progress({ order, close }: { order: AcmeOrder; close: () => void }) {
  const client = useQueryClient();
  const followed = useQuery({
    queryKey: ["admin", "order", order.id],
    queryFn: () => admin.order(order.id),
    initialData: order,
    refetchInterval: (query) => (query.state.data?.status === "pending" ? 2000 : false),
  });
  const go = useMutation({
    mutationFn: () => admin.continueOrder(order.id),
    onSettled: () => followed.refetch(),
  });
  const now = followed.data ?? order;
  useEffect(() => {
    if (now.status === "valid") void client.invalidateQueries({ queryKey: ["admin", "certs"] });
  }, [client, now.status]);
  return (
    <Modal opened onClose={close} title={`The certificate of ${now.domain}`} size="lg">
      <Stack aria-live="polite">
        {now.status === "pending" && <StatusWord status="queued" word="The authority is checking…" />}
        {now.status === "valid" && (
          <Alert color="teal" title="In use">
            It serves from the next connection on, and renews itself.
          </Alert>
        )}
        {now.status === "invalid" && (
          <Alert color="red" title="The authority said no">
            {now.error}
          </Alert>
        )}
        {now.status === "waiting" && (
          <>
            <Text size="sm">
              Set {now.records.length === 1 ? "this TXT record" : "these TXT records"} where your domain's DNS is kept,
              then let the authority look. It can take minutes until a record is seen.
            </Text>
            {now.records.map((record) => (
              <Stack key={record.value} gap={4}>
                <Group gap={4} wrap="nowrap">
                  <Code style={{ overflowWrap: "anywhere" }}>{record.name}</Code>
                  <Copy text={record.name} label="Copy the name" />
                </Group>
                <Group gap={4} wrap="nowrap">
                  <Code style={{ overflowWrap: "anywhere" }}>{record.value}</Code>
                  <Copy text={record.value} label="Copy the value" />
                </Group>
              </Stack>
            ))}
          </>
        )}
        <Refused error={go.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Close
          </Button>
          {now.status === "waiting" && (
            <Button loading={go.isPending} onClick={() => go.mutate()}>
              The records are set
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
