import { Alert, Button, Code, Group, Modal, SegmentedControl, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { Issued } from "../account/Certificates";
import { SCOPES } from "../account/scopes";
import { ApiError } from "../api/client";
import { Secret } from "../parts/Secret";
import { tell } from "../parts/tell";
import { When } from "../parts/When";
import { admin, clientsQuery } from "./calls";
import type { ClientCertificate } from "./types";

interface FormProps {
  title: string;
  verb: string;
  error: Error | null;
  busy: boolean;
  ready: boolean;
  close: () => void;
  submit: () => void;
  children: ReactNode;
}

function Form({ title, verb, error, busy, ready, close, submit, children }: FormProps) {
  const fields = error instanceof ApiError ? error.fields : {};
  return (
    <Modal opened onClose={close} title={title}>
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          if (ready) submit();
        }}
      >
        <Stack>
          {error && Object.keys(fields).length === 0 && (
            <Alert color="red" p="xs" role="alert">
              {error.message}
            </Alert>
          )}
          {children}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={busy} disabled={!ready}>
              {verb}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Label({ value, change, error }: { value: string; change: (text: string) => void; error?: string }) {
  return (
    <TextInput
      label="Label"
      description="Which machine or program it is for"
      placeholder="backup-server"
      data-autofocus
      spellCheck={false}
      autoCapitalize="none"
      maxLength={50}
      value={value}
      error={error}
      onChange={(event) => change(event.currentTarget.value)}
    />
  );
}

function Capabilities({ value, change, error }: { value: string[]; change: (next: string[]) => void; error?: string }) {
  return (
    <TagsInput
      label="What it may do"
      description="Scopes; nothing else is open to it, and never more than you have"
      placeholder={value.length ? undefined : "services:read"}
      data={SCOPES.map((one) => one.scope).filter((one) => !one.startsWith("account:"))}
      value={value}
      error={error}
      splitChars={[",", " "]}
      onChange={change}
    />
  );
}

const fieldsOf = (error: Error | null) => (error instanceof ApiError ? error.fields : {});

/** A certificate with its private key, to be carried to the machine. */
export function IssueDialog({ close }: { close: () => void }) {
  const client = useQueryClient();
  const [label, setLabel] = useState("");
  const [capabilities, setCapabilities] = useState<string[]>(["services:read"]);
  const [format, setFormat] = useState<"p12" | "pem">("pem");
  const issue = useMutation({
    mutationFn: () => admin.issueClient({ label: label.trim(), capabilities, format }),
    onSuccess: () => client.invalidateQueries(clientsQuery),
  });
  const fields = fieldsOf(issue.error);
  if (issue.data)
    return (
      <Modal
        opened
        onClose={close}
        title={`The certificate of ${issue.data.label}`}
        closeOnClickOutside={false}
        size="lg"
      >
        <Stack>
          <Issued certificate={issue.data} />
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      </Modal>
    );
  return (
    <Form
      title="Issue a client certificate"
      verb="Issue"
      error={issue.error}
      busy={issue.isPending}
      ready={Boolean(label.trim()) && capabilities.length > 0}
      close={close}
      submit={() => issue.mutate()}
    >
      <Label value={label} change={setLabel} error={fields.label} />
      <Capabilities value={capabilities} change={setCapabilities} error={fields.capabilities} />
      <SegmentedControl
        aria-label="Format"
        data={[
          { value: "pem", label: "For a program (.pem)" },
          { value: "p12", label: "For a browser (.p12)" },
        ]}
        value={format}
        onChange={(next) => setFormat(next as "p12" | "pem")}
      />
    </Form>
  );
}

/** A token with which a machine gets a certificate for a key that never leaves it. */
export function EnrolDialog({ close }: { close: () => void }) {
  const client = useQueryClient();
  const [label, setLabel] = useState("");
  const [capabilities, setCapabilities] = useState<string[]>(["services:read"]);
  const make = useMutation({
    mutationFn: () => admin.inviteClient({ label: label.trim(), capabilities }),
    onSuccess: () => client.invalidateQueries(clientsQuery),
  });
  const fields = fieldsOf(make.error);
  const made = make.data;
  if (made)
    return (
      <Modal opened onClose={close} title={`Let ${made.label} enrol`} closeOnClickOutside={false} size="lg">
        <Stack>
          <Secret what="The token" text={made.token} file={`${made.label}-token.txt`} testId="enrolment-token" />
          <Text size="sm">
            It works once and expires <When at={made.expiresAt} />. The machine makes its own key and sends a signing
            request with the token:
          </Text>
          <Code block>
            {`POST ${location.origin}/api/enroll\n{"token": "…", "csr": "-----BEGIN CERTIFICATE REQUEST-----…"}`}
          </Code>
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      </Modal>
    );
  return (
    <Form
      title="Make an enrolment token"
      verb="Make the token"
      error={make.error}
      busy={make.isPending}
      ready={Boolean(label.trim()) && capabilities.length > 0}
      close={close}
      submit={() => make.mutate()}
    >
      <Label value={label} change={setLabel} error={fields.label} />
      <Capabilities value={capabilities} change={setCapabilities} error={fields.capabilities} />
    </Form>
  );
}

/** What a machine may do from now on. */
export function CapabilitiesDialog({ client, close }: { client: ClientCertificate; close: () => void }) {
  const queries = useQueryClient();
  const [capabilities, setCapabilities] = useState(client.capabilities);
  const save = useMutation({
    mutationFn: () => admin.setCapabilities(client.label, capabilities),
    onSuccess: () => {
      tell(`${client.label} may do that from now on.`);
      close();
      return queries.invalidateQueries(clientsQuery);
    },
  });
  return (
    <Form
      title={`What ${client.label} may do`}
      verb="Save"
      error={save.error}
      busy={save.isPending}
      ready={capabilities.length > 0}
      close={close}
      submit={() => save.mutate()}
    >
      <Capabilities value={capabilities} change={setCapabilities} error={fieldsOf(save.error).capabilities} />
    </Form>
  );
}
