import { Alert, Button, Code, Group, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCertificate, IconDownload, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { Copy } from "../parts/Copy";
import { download } from "../parts/download";
import { FormDialog, Made } from "../parts/FormDialog";
import { Section } from "../parts/Page";
import { fieldsOf } from "../parts/problems";
import { Secret } from "../parts/Secret";
import { When } from "../parts/When";
import { fromBase64url } from "../session/webauthn";
import classes from "./Account.module.css";
import { account, certificatesQuery } from "./calls";
import { OwnList } from "./OwnList";
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
      <OwnList
        query={certificates}
        what="your certificates"
        none="None. A certificate opens the portal's certificate port, where nobody without one gets so far as to try a password."
        list={list}
        row={(one) => (
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
        )}
      />
      {issuing && <Issue close={close} />}
      {revoking && <Revoke of={revoking} close={() => setRevoking(null)} />}
    </Section>
  );
}

function Issue({ close }: { close: () => void }) {
  const [label, setLabel] = useState("");
  const [format, setFormat] = useState<"p12" | "pem">("p12");
  const issue = useAct({
    run: () => account.issueCertificate({ label: label.trim(), format }),
    refresh: [certificatesQuery.queryKey],
  });
  const problems = fieldsOf(issue.error);
  const made = issue.data;
  if (made)
    return (
      <Made title={`Your certificate ${made.label}`} close={close} size={made.pem ? "lg" : "md"}>
        <Issued certificate={made} />
      </Made>
    );
  return (
    <FormDialog
      title="Issue a certificate"
      verb="Issue"
      act={issue}
      close={close}
      ready={Boolean(label.trim())}
      fields={["label"]}
    >
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
        error={problems.label}
        onChange={(event) => setLabel(event.currentTarget.value)}
      />
      <SegmentedControl
        aria-label="Format"
        data={FORMATS}
        value={format}
        onChange={(value) => setFormat(value as "p12" | "pem")}
      />
    </FormDialog>
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

function Revoke({ of: certificate, close }: { of: OwnCertificate; close: () => void }) {
  const revoke = useAct({
    run: () => account.revokeCertificate(certificate.id),
    done: () => `The certificate ${certificate.label} no longer works.`,
    close,
    refresh: [certificatesQuery.queryKey],
  });
  return (
    <Confirm title={`Revoke ${certificate.label}?`} verb="Revoke" act={revoke} close={close}>
      <Text size="sm">Whatever uses it is refused from now on, and what it has open ends. This cannot be undone.</Text>
    </Confirm>
  );
}
