import { Button, FileButton, NumberInput, Text, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { useAct } from "../parts/act";
import { FormDialog } from "../parts/FormDialog";
import { fieldsOf } from "../parts/problems";
import { admin } from "./calls";
import type { Installed } from "./types";

/** Puts a certificate into use, says so and closes. */
const useInstall = (run: () => Promise<Installed>, close: () => void) =>
  useAct({ run, done: (installed) => installed.message, close, refresh: [["admin", "certs"]] });

/** A pair that somebody else made. */
export function UploadDialog({ close }: { close: () => void }) {
  const [cert, setCert] = useState("");
  const [key, setKey] = useState("");
  const upload = useInstall(() => admin.uploadCertificate({ cert, key }), close);
  return (
    <FormDialog
      title="Upload a certificate"
      verb="Use it"
      act={upload}
      ready={Boolean(cert.trim() && key.trim())}
      close={close}
      size="lg"
    >
      <Text size="sm" c="dimmed">
        It is checked first: the key must fit, the certificate must be valid now. Then it serves from the next
        connection on, without a restart.
      </Text>
      <Pem label="Certificate and its chain (PEM)" value={cert} change={setCert} />
      <Pem label="Private key (PEM, without a password)" value={key} change={setKey} />
    </FormDialog>
  );
}

function Pem({ label, value, change }: { label: string; value: string; change: (text: string) => void }) {
  return (
    <div>
      <Textarea
        label={label}
        placeholder="-----BEGIN …"
        autosize
        minRows={4}
        maxRows={8}
        spellCheck={false}
        autoComplete="off"
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 12 } }}
        value={value}
        onChange={(event) => change(event.currentTarget.value)}
      />
      <FileButton onChange={(file) => void file?.text().then(change)} accept=".pem,.crt,.cer,.key,.txt">
        {(props) => (
          <Button {...props} size="compact-xs" variant="subtle" mt={4}>
            From a file…
          </Button>
        )}
      </FileButton>
    </div>
  );
}

/** For a network where no authority is asked. */
export function SelfSignedDialog({ hostname, close }: { hostname?: string; close: () => void }) {
  const [name, setName] = useState(hostname ?? "");
  const [days, setDays] = useState(365);
  const sign = useInstall(() => admin.selfSign({ hostname: name.trim(), validity_days: days }), close);
  const problems = fieldsOf(sign.error);
  return (
    <FormDialog
      title="Make a self-signed certificate"
      verb="Make and use it"
      act={sign}
      ready={Boolean(name.trim())}
      close={close}
      fields={["hostname", "validity_days"]}
      size="lg"
    >
      <Text size="sm" c="dimmed">
        Every device warns until somebody tells it to trust this certificate. The portal's own authority is the better
        way in most networks.
      </Text>
      <TextInput
        label="Host name"
        value={name}
        error={problems.hostname}
        spellCheck={false}
        autoCapitalize="none"
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NumberInput
        label="Days"
        min={30}
        max={3650}
        value={days}
        error={problems.validity_days}
        onChange={(next) => setDays(Number(next) || 365)}
      />
    </FormDialog>
  );
}
