import { ActionIcon, Alert, Anchor, Button, Group, Menu, Paper, Table, Text, Tooltip } from "@mantine/core";
import { IconCertificate, IconChevronDown, IconRefresh, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { Copy } from "../parts/Copy";
import { Section } from "../parts/Page";
import rows from "../parts/Rows.module.css";
import { StatusWord } from "../parts/StatusWord";
import { Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { exact } from "../parts/time";
import { When } from "../parts/When";
import { useCan } from "../session/session";
import { AcmeDialog } from "./AcmeDialog";
import classes from "./Admin.module.css";
import { SelfSignedDialog, UploadDialog } from "./CertificateDialogs";
import { admin, certificateQuery, certificatesQuery } from "./calls";
import type { CertificateInfo, ServerCertificate } from "./types";

const SOURCES: Record<ServerCertificate["type"], string> = {
  authority: "The portal's own authority",
  letsencrypt: "By ACME",
  selfsigned: "Self-signed",
  custom: "Uploaded",
};
type Asked = "acme" | "upload" | "self-signed";

/** What browsers see when they come: whose certificate, until when, and how it is renewed. */
export default function Certificates() {
  const info = useQuery(certificateQuery);
  const can = useCan()("certificates.write");
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);
  const change = can && (
    <Menu position="bottom-end" width={260}>
      <Menu.Target>
        <Button rightSection={<IconChevronDown size={15} />}>Use another certificate</Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => setAsked("acme")}>Get one from Let's Encrypt…</Menu.Item>
        <Menu.Item onClick={() => setAsked("upload")}>Upload one…</Menu.Item>
        <Menu.Item onClick={() => setAsked("self-signed")}>Make a self-signed one…</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
  return (
    <>
      <Section title="This portal" aside={change}>
        <Paper p="md">
          {info.isPending && <Loading rows={5} height={14} />}
          {info.error && !info.data && <Failed error={info.error} what="the certificate" retry={info.refetch} />}
          {info.data && <Facts info={info.data} />}
        </Paper>
      </Section>
      <All can={can} />
      {asked === "acme" && <AcmeDialog close={close} />}
      {asked === "upload" && <UploadDialog close={close} />}
      {asked === "self-signed" && (
        <SelfSignedDialog hostname={info.data?.hostname_coverage.hostname.value} close={close} />
      )}
    </>
  );
}

function Expiry({ days, at }: { days: number; at: string }) {
  const [tone, word] =
    days < 0 ? ["bad", "Expired"] : days < 21 ? ["warn", `${days} days left`] : ["good", `${days} days left`];
  return (
    <Tooltip label={exact(at)}>
      <span>
        <StatusWord status={word} word={word} tone={tone} />
      </span>
    </Tooltip>
  );
}

function Facts({ info }: { info: CertificateInfo }) {
  const name = (of: Record<string, string>) => of.commonName ?? of.CN ?? Object.values(of).join(", ");
  const missing = Object.values(info.hostname_coverage).filter((one) => one.value && !one.covered);
  const source =
    info.source === "authority"
      ? SOURCES.authority
      : (SOURCES[info.method as ServerCertificate["type"]] ?? info.method);
  const facts: [string, React.ReactNode][] = [
    ["Valid", <Expiry key="expiry" days={info.days_until_expiry} at={info.not_after} />],
    ["Source", source],
    ["For", info.sans.join(", ") || name(info.subject)],
    ["Issued by", info.is_self_signed ? "itself" : name(info.issuer)],
    ["Key", info.key_type],
    [
      "Fingerprint",
      <Group key="fingerprint" gap={4} wrap="nowrap">
        <span className="mono" style={{ overflowWrap: "anywhere" }}>
          {info.fingerprint_sha256}
        </span>
        <Copy text={info.fingerprint_sha256} label="Copy the fingerprint" />
      </Group>,
    ],
  ];
  return (
    <>
      {missing.length > 0 && (
        <Alert color="yellow" p="xs" mb="sm">
          It does not cover {missing.map((one) => one.value).join(" and ")}: browsers warn there.
        </Alert>
      )}
      {info.source === "authority" && (
        <Text size="sm" c="dimmed" mb="sm">
          Devices trust it once they know the portal's authority (<Anchor href="/ca.pem">ca.pem</Anchor>). A portal with
          a public name can have a certificate that everybody trusts already.
        </Text>
      )}
      <dl className={classes.facts}>
        {facts.map(([label, value]) => (
          <div key={label} style={{ display: "contents" }}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function All({ can }: { can: boolean }) {
  const client = useQueryClient();
  const certificates = useQuery(certificatesQuery);
  const [removing, setRemoving] = useState<ServerCertificate | null>(null);
  const refresh = () => client.invalidateQueries({ queryKey: ["admin", "certs"] });
  const renew = useMutation({
    mutationFn: (one: ServerCertificate) => admin.renew(one.domain),
    onSuccess: (done) => {
      tell(done.message);
      return refresh();
    },
    onError: (error) => tellProblem(error),
  });
  const list = certificates.data?.certs ?? [];
  return (
    <Section title="All certificates">
      {certificates.isPending && <Loading rows={3} />}
      {certificates.error && !certificates.data && (
        <Failed error={certificates.error} what="the certificates" retry={certificates.refetch} />
      )}
      {list.length > 0 && (
        <Paper>
          <Table className={rows.rows}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Source</Table.Th>
                <Table.Th>Valid</Table.Th>
                <Table.Th>Renews itself</Table.Th>
                <Table.Th aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.map((one) => (
                <Table.Tr key={`${one.type} ${one.domain}`} data-certificate={one.domain} data-type={one.type}>
                  <Table.Td data-wide>
                    <Group gap={8} wrap="nowrap">
                      <IconCertificate size={18} stroke={1.6} aria-hidden />
                      <div>
                        <Text size="sm" className={classes.name}>
                          {one.domain}
                        </Text>
                        <Text size="xs" c="dimmed">
                          {one.names.filter((name) => name !== one.domain).join(", ")}
                        </Text>
                      </div>
                    </Group>
                    {one.error && (
                      <Text size="xs" c="var(--bad)">
                        {one.error}
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td data-label="Source">{SOURCES[one.type]}</Table.Td>
                  <Table.Td>
                    <Expiry days={one.days_until_expiry} at={one.expires_at} />
                  </Table.Td>
                  <Table.Td c="dimmed" data-label="Renews itself">
                    {one.renews_at ? <When at={one.renews_at} /> : "no"}
                  </Table.Td>
                  <Table.Td ta="right">
                    {can && one.type !== "authority" && (
                      <Group gap={4} justify="flex-end" wrap="nowrap">
                        {one.type !== "custom" && (
                          <Tooltip label="Renew now">
                            <ActionIcon
                              aria-label={`Renew ${one.domain}`}
                              loading={renew.isPending && renew.variables === one}
                              onClick={() => renew.mutate(one)}
                            >
                              <IconRefresh size={17} />
                            </ActionIcon>
                          </Tooltip>
                        )}
                        <Tooltip label="Remove">
                          <ActionIcon aria-label={`Remove ${one.domain}`} onClick={() => setRemoving(one)}>
                            <IconTrash size={17} />
                          </ActionIcon>
                        </Tooltip>
                      </Group>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      {removing && <Remove certificate={removing} close={() => setRemoving(null)} />}
    </Section>
  );
}

function Remove({ certificate, close }: { certificate: ServerCertificate; close: () => void }) {
  const remove = useAct({
    run: () => admin.removeCertificate(certificate.domain),
    done: () => `${certificate.domain} is served by the portal's own authority again.`,
    close,
    refresh: [["admin", "certs"]],
  });
  return (
    <Confirm title={`Remove the certificate of ${certificate.domain}?`} verb="Remove" act={remove} close={close}>
      <Text size="sm">
        From the next connection on, the portal's own authority vouches for it. Devices that do not know that authority
        will warn.
      </Text>
    </Confirm>
  );
}
