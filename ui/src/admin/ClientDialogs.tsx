import { Code, SegmentedControl, TagsInput, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { Issued } from "../account/Certificates";
import { SCOPES } from "../account/scopes";
import { useAct } from "../parts/act";
import { FormDialog, Made } from "../parts/FormDialog";
import { fieldsOf } from "../parts/problems";
import { Secret } from "../parts/Secret";
import { When } from "../parts/When";
import { admin, clientsQuery } from "./calls";
import type { ClientCertificate } from "./types";

const refresh = [clientsQuery.queryKey];

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

/** A certificate with its private key, to be carried to the machine. */
export function IssueDialog({ close }: { close: () => void }) {
  const [label, setLabel] = useState("");
  const [capabilities, setCapabilities] = useState<string[]>(["services:read"]);
  const [format, setFormat] = useState<"p12" | "pem">("pem");
  const issue = useAct({
    run: () => admin.issueClient({ label: label.trim(), capabilities, format }),
    refresh,
  });
  const fields = fieldsOf(issue.error);
  if (issue.data)
    return (
      <Made title={`The certificate of ${issue.data.label}`} close={close} size="lg">
        <Issued certificate={issue.data} />
      </Made>
    );
  return (
    <FormDialog
      title="Issue a client certificate"
      verb="Issue"
      act={issue}
      ready={Boolean(label.trim()) && capabilities.length > 0}
      close={close}
      fields={["label", "capabilities"]}
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
    </FormDialog>
  );
}

/** A token with which a machine gets a certificate for a key that never leaves it. */
export function EnrolDialog({ close }: { close: () => void }) {
  const [label, setLabel] = useState("");
  const [capabilities, setCapabilities] = useState<string[]>(["services:read"]);
  const make = useAct({
    run: () => admin.inviteClient({ label: label.trim(), capabilities }),
    refresh,
  });
  const fields = fieldsOf(make.error);
  const made = make.data;
  if (made)
    return (
      <Made title={`Let ${made.label} enrol`} close={close} size="lg">
        <Secret what="The token" text={made.token} file={`${made.label}-token.txt`} testId="enrolment-token" />
        <Text size="sm">
          It works once and expires <When at={made.expiresAt} />. The machine makes its own key and sends a signing
          request with the token:
        </Text>
        <Code block>
          {`POST ${location.origin}/api/enroll\n{"token": "…", "csr": "-----BEGIN CERTIFICATE REQUEST-----…"}`}
        </Code>
      </Made>
    );
  return (
    <FormDialog
      title="Make an enrolment token"
      verb="Make the token"
      act={make}
      ready={Boolean(label.trim()) && capabilities.length > 0}
      close={close}
      fields={["label", "capabilities"]}
    >
      <Label value={label} change={setLabel} error={fields.label} />
      <Capabilities value={capabilities} change={setCapabilities} error={fields.capabilities} />
    </FormDialog>
  );
}

/** What a machine may do from now on. */
export function CapabilitiesDialog({ client, close }: { client: ClientCertificate; close: () => void }) {
  const [capabilities, setCapabilities] = useState(client.capabilities);
  const save = useAct({
    run: () => admin.setCapabilities(client.label, capabilities),
    done: () => `${client.label} may do that from now on.`,
    close,
    refresh,
  });
  return (
    <FormDialog
      title={`What ${client.label} may do`}
      verb="Save"
      act={save}
      ready={capabilities.length > 0}
      close={close}
      fields={["capabilities"]}
    >
      <Capabilities value={capabilities} change={setCapabilities} error={fieldsOf(save.error).capabilities} />
    </FormDialog>
  );
}
