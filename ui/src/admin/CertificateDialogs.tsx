import { Alert, Button, FileButton, Group, Modal, NumberInput, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { ApiError } from "../api/client";
import { tell } from "../parts/tell";
import { admin } from "./calls";
import type { Installed } from "./types";

/** Puts a certificate into use, says so and closes. */
function useInstall<T>(install: (body: T) => Promise<Installed>, close: () => void) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: install,
    onSuccess: (done) => {
      tell(done.message);
      close();
      return client.invalidateQueries({ queryKey: ["admin", "certs"] });
    },
  });
}

function Dialog(props: {
  title: string;
  verb: string;
  error: Error | null;
  busy: boolean;
  ready: boolean;
  close: () => void;
  submit: () => void;
  children: ReactNode;
}) {
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (props.ready) props.submit();
  };
  return (
    <Modal opened onClose={props.close} title={props.title} size="lg">
      <form onSubmit={submit}>
        <Stack>
          {props.error && (
            <Alert color="red" p="xs" role="alert">
              {props.error.message}
            </Alert>
          )}
          {props.children}
          <Group justify="flex-end">
            <Button variant="default" onClick={props.close}>
              Cancel
            </Button>
            <Button type="submit" loading={props.busy} disabled={!props.ready}>
              {props.verb}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** A pair that somebody else made. */
export function UploadDialog({ close }: { close: () => void }) {
  const [cert, setCert] = useState("");
  const [key, setKey] = useState("");
  const upload = useInstall(admin.uploadCertificate, close);
  return (
    <Dialog
      title="Upload a certificate"
      verb="Use it"
      error={upload.error}
      busy={upload.isPending}
      ready={Boolean(cert.trim() && key.trim())}
      close={close}
      submit={() => upload.mutate({ cert, key })}
    >
      <Text size="sm" c="dimmed">
        It is checked first: the key must fit, the certificate must be valid now. Then it serves from the next
        connection on, without a restart.
      </Text>
      <Pem label="Certificate and its chain (PEM)" value={cert} change={setCert} />
      <Pem label="Private key (PEM, without a password)" value={key} change={setKey} />
    </Dialog>
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
  const sign = useInstall(admin.selfSign, close);
  const fields = sign.error instanceof ApiError ? sign.error.fields : {};
  return (
    <Dialog
      title="Make a self-signed certificate"
      verb="Make and use it"
      error={sign.error}
      busy={sign.isPending}
      ready={Boolean(name.trim())}
      close={close}
      submit={() => sign.mutate({ hostname: name.trim(), validity_days: days })}
    >
      <Text size="sm" c="dimmed">
        Every device warns until somebody tells it to trust this certificate. The portal's own authority is the better
        way in most networks.
      </Text>
      <TextInput
        label="Host name"
        value={name}
        error={fields.hostname}
        spellCheck={false}
        autoCapitalize="none"
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NumberInput
        label="Days"
        min={30}
        max={3650}
        value={days}
        error={fields.validity_days}
        onChange={(next) => setDays(Number(next) || 365)}
      />
    </Dialog>
  );
}
