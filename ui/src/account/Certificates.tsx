import { Alert, Button, Code, Group, Modal, Paper, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCertificate, IconDownload, IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Copy } from "../parts/Copy";
import { download } from "../parts/download";
import { Section } from "../parts/Page";
import { Secret } from "../parts/Secret";
import { Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import { fromBase64url } from "../session/webauthn";
import classes from "./Account.module.css";
import { account, certificatesQuery } from "./calls";
import type { IssuedCertificate, OwnCertificate } from "./types";

const FORMATS = [
  { value: "p12", label: "For a browser (.p12)" },
  { value: "pem", label: "For a program (.pem)" },
];

/** Certificates that let my browser or a program in at the certificate port. */
export function Certificates() {
  const certificates = useQuery(certificatesQuery);
  const [issuing, { open, close }] = useDisclosure(false);
  const [revoking, setRevoking] = useState<OwnCertificate | null>(null);
  const list = (certificates.data?.certificates ?? []).filter((one) => !one.revoked);
  return (
    <Section
      title="Client certificates"
      hint={
        certificates.data?.port && (
          <Text size="xs" c="dimmed">
            For{" "}
            <span className="mono">
              https://{location.hostname}:{certificates.data.port}
            </span>
          </Text>
        )
      }
      aside={
        <Button size="xs" variant="default" leftSection={<IconPlus size={15} />} onClick={open}>
          Issue a certificate
        </Button>
      }
    >
      <Paper>
        {certificates.isPending && (
          <div style={{ padding: 14 }}>
            <Loading rows={2} />
          </div>
        )}
        {certificates.error && (
          <Failed error={certificates.error} what="your certificates" retry={certificates.refetch} />
        )}
        {certificates.data && list.length === 0 && (
          <Text size="sm" c="dimmed" p="md">
            None. A certificate opens the portal's certificate port, where nobody without one gets so far as to try a
            password.
          </Text>
        )}
        {list.map((one) => (
          <div key={one.id} className={classes.row} data-certificate={one.label}>
            <IconCertificate size={20} stroke={1.6} aria-hidden />
            <div style={{ minWidth: 0 }}>
              <Text size="sm" fw={550}>
                {one.label}
              </Text>
              <Text size="xs" c="dimmed" className="cut">
                <When at={one.expiresAt} prefix="Expires " />
                {one.lastUsedAt && (
                  <>
                    {" · "}
                    <When at={one.lastUsedAt} prefix="used " />
                  </>
                )}
                {" · "}
                <span className="mono" title={one.serial}>
                  {one.serial.slice(0, 16)}
                </span>
              </Text>
            </div>
            <Button
              size="compact-xs"
              variant="subtle"
              color="red"
              aria-label={`Revoke ${one.label}`}
              onClick={() => setRevoking(one)}
            >
              Revoke
            </Button>
          </div>
        ))}
      </Paper>
      <Issue opened={issuing} close={close} />
      <Revoke certificate={revoking} close={() => setRevoking(null)} />
    </Section>
  );
}

function Issue({ opened, close }: { opened: boolean; close: () => void }) {
  const client = useQueryClient();
  const [label, setLabel] = useState("");
  const [format, setFormat] = useState<"p12" | "pem">("p12");
  const issue = useMutation({
    mutationFn: () => account.issueCertificate({ label: label.trim(), format }),
    onSuccess: () => client.invalidateQueries(certificatesQuery),
  });
  const done = () => {
    close();
    setLabel("");
    issue.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    issue.mutate();
  };
  const made = issue.data;
  return (
    <Modal
      opened={opened}
      onClose={done}
      title={made ? `Your certificate ${made.label}` : "Issue a certificate"}
      closeOnClickOutside={!made}
      size={made?.pem ? "lg" : "md"}
    >
      {made ? (
        <Stack>
          <Issued certificate={made} />
          <Group justify="flex-end">
            <Button onClick={done}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            {issue.error && (
              <Alert color="red" p="xs" role="alert">
                {issue.error.message}
              </Alert>
            )}
            <TextInput
              label="Label"
              description="The device or program that will have it"
              placeholder="laptop"
              autoCapitalize="none"
              spellCheck={false}
              maxLength={50}
              data-autofocus
              required
              withAsterisk={false}
              value={label}
              onChange={(event) => setLabel(event.currentTarget.value)}
            />
            <SegmentedControl
              aria-label="Format"
              data={FORMATS}
              value={format}
              onChange={(value) => setFormat(value as "p12" | "pem")}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={done}>
                Cancel
              </Button>
              <Button type="submit" loading={issue.isPending} disabled={!label.trim()}>
                Issue
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

/** The file with its key: a P12 with the password that opens it, or the text of a PEM. */
export function Issued({ certificate }: { certificate: IssuedCertificate }) {
  if (certificate.pem)
    return (
      <Secret
        what="The certificate's private key"
        text={certificate.pem.trim()}
        file={`${certificate.label}.pem`}
        testId="certificate-pem"
        high
      />
    );
  const file = `${certificate.label}.p12`;
  return (
    <Stack gap="sm">
      <Alert color="yellow" p="xs">
        The file and its password are shown only now. Take both before you close this.
      </Alert>
      <Group gap={6}>
        <Text size="sm">Password of the file</Text>
        <Code fz="sm" data-testid="certificate-password">
          {certificate.p12Password}
        </Code>
        <Copy text={certificate.p12Password ?? ""} label="Copy the password" />
      </Group>
      <Button
        leftSection={<IconDownload size={16} />}
        onClick={() =>
          download(file, new Blob([fromBase64url(certificate.p12 ?? "")], { type: "application/x-pkcs12" }))
        }
      >
        Download {file}
      </Button>
      <Text size="xs" c="dimmed">
        Open the file on the device, or import it in the settings of the browser under certificates.
      </Text>
    </Stack>
  );
}

function Revoke({ certificate, close }: { certificate: OwnCertificate | null; close: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: (one: OwnCertificate) => account.revokeCertificate(one.id),
    onSuccess: (_, one) => {
      tell(`The certificate ${one.label} no longer works.`);
      close();
      return client.invalidateQueries(certificatesQuery);
    },
    onError: (error) => tellProblem(error),
  });
  return (
    <Modal opened={certificate !== null} onClose={close} title={`Revoke ${certificate?.label ?? ""}?`}>
      <Stack>
        <Text size="sm">
          Whatever uses it is refused from now on, and what it has open ends. This cannot be undone.
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close} data-autofocus>
            Keep it
          </Button>
          <Button color="red" loading={revoke.isPending} onClick={() => certificate && revoke.mutate(certificate)}>
            Revoke
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
