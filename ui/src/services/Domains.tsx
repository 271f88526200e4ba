import { Alert, Anchor, Button, Code, Collapse, Group, Modal, Paper, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api/calls";
import { ApiError } from "../api/client";
import { domainsQuery } from "../api/queries";
import type { Domain } from "../api/types";
import { Copy } from "../parts/Copy";
import { Section } from "../parts/Page";
import { StatusWord } from "../parts/StatusWord";
import { Failed, Loading } from "../parts/states";
import { tell } from "../parts/tell";
import classes from "./Domains.module.css";
import { domainProblem } from "./domain";

/** Names of one's own for a service: added, proven to be one's own, removed. */
export function Domains({ service, disabled }: { service: string; disabled: boolean }) {
  const domains = useQuery(domainsQuery(service));
  // A portal without this part does not show it.
  if (domains.error instanceof ApiError && domains.error.status === 404) return null;
  return (
    <Section
      title="Your own domains"
      hint={
        <Text size="xs" c="dimmed">
          Beside the address that it has here
        </Text>
      }
    >
      <Paper p="md">
        <Stack gap="md">
          {domains.isPending && <Loading rows={2} />}
          {domains.error && <Failed error={domains.error} what="the domains" retry={domains.refetch} />}
          {domains.data?.data.length === 0 && (
            <Text size="sm" c="dimmed">
              None yet.
            </Text>
          )}
          {domains.data?.data.map((one) => (
            <One key={one.domain} service={service} domain={one} disabled={disabled} />
          ))}
          {domains.data && !disabled && <Add service={service} known={domains.data.data.map((one) => one.domain)} />}
        </Stack>
      </Paper>
    </Section>
  );
}

function Add({ service, known }: { service: string; known: string[] }) {
  const client = useQueryClient();
  const [domain, setDomain] = useState("");
  const [tried, setTried] = useState(false);
  const add = useMutation({
    mutationFn: (name: string) => api.addDomain(service, name),
    onSuccess: async () => {
      setDomain("");
      setTried(false);
      await client.invalidateQueries(domainsQuery(service));
    },
  });
  const name = domain.trim().toLowerCase().replace(/\.$/, "");
  const problem = known.includes(name) ? "It is there already." : domainProblem(name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!problem) add.mutate(name);
  };
  return (
    <form onSubmit={submit} noValidate>
      <Group gap="xs" align="flex-start">
        <TextInput
          aria-label="Domain"
          placeholder="shop.example.com"
          flex={1}
          miw={200}
          maw={340}
          autoCapitalize="none"
          spellCheck={false}
          value={domain}
          error={((tried || name.length > 5) && name && problem) || (tried && problem) || add.error?.message}
          onChange={(event) => {
            setDomain(event.currentTarget.value);
            add.reset();
          }}
        />
        <Button type="submit" variant="default" leftSection={<IconPlus size={16} />} loading={add.isPending}>
          Add
        </Button>
      </Group>
    </form>
  );
}

function One({ service, domain, disabled }: { service: string; domain: Domain; disabled: boolean }) {
  const client = useQueryClient();
  const [removing, setRemoving] = useState(false);
  const refresh = () => client.invalidateQueries(domainsQuery(service));
  const verify = useMutation({
    mutationFn: () => api.verifyDomain(service, domain.domain),
    onSuccess: (now) => now.status === "verified" && tell(`${domain.domain} is yours, and leads to ${service}.`),
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: () => api.removeDomain(service, domain.domain),
    onSuccess: () => {
      tell(`${domain.domain} no longer leads to ${service}.`);
      return refresh();
    },
    onSettled: () => setRemoving(false),
  });
  const verified = domain.status === "verified";
  const unproven = verify.data && verify.data.status !== "verified" ? verify.data.error : null;
  const why = verify.error?.message ?? unproven ?? domain.error;
  return (
    <div className={classes.one} data-domain={domain.domain}>
      <Group justify="space-between" gap="xs">
        <Group gap="sm">
          {verified ? (
            <Anchor href={`https://${domain.domain}`} target="_blank" rel="noreferrer" size="sm" fw={600}>
              {domain.domain}
            </Anchor>
          ) : (
            <Text size="sm" fw={600}>
              {domain.domain}
            </Text>
          )}
          <StatusWord
            status={verified ? "healthy" : "cancelled"}
            word={verified ? "Verified" : "Waiting for your proof"}
          />
        </Group>
        {!disabled && (
          <Group gap="xs">
            {!verified && (
              <Button size="xs" loading={verify.isPending} onClick={() => verify.mutate()}>
                Verify
              </Button>
            )}
            <Button
              size="xs"
              variant="subtle"
              color="red"
              leftSection={<IconTrash size={14} />}
              onClick={() => setRemoving(true)}
            >
              Remove
            </Button>
          </Group>
        )}
      </Group>
      <Collapse expanded={!verified}>
        <Stack gap="xs" mt="sm">
          {(why || remove.error) && (
            <Alert color={verify.error ? "red" : "yellow"} p="xs" role="alert">
              {why ?? remove.error?.message}
            </Alert>
          )}
          <Text size="sm" c="dimmed">
            Prove that it is yours in one of these two ways, then verify.
          </Text>
          {domain.dns && (
            <Proof title={`A ${domain.dns.type} record at your DNS provider`}>
              <Line name="Name" value={domain.dns.name} />
              <Line name="Value" value={domain.dns.value} />
            </Proof>
          )}
          {domain.http && (
            <Proof title="Or a file on the web server that answers for it now">
              <Line name="Path" value={domain.http.path} />
              <Line name="Content" value={domain.http.value} />
            </Proof>
          )}
        </Stack>
      </Collapse>
      <Modal opened={removing} onClose={() => setRemoving(false)} title={`Remove ${domain.domain}?`}>
        <Stack>
          <Text size="sm">It no longer leads to {service}. You can add it again, and prove it again.</Text>
          <Group justify="flex-end">
            <Button variant="default" data-autofocus onClick={() => setRemoving(false)}>
              Keep it
            </Button>
            <Button color="red" loading={remove.isPending} onClick={() => remove.mutate()}>
              Remove
            </Button>
          </Group>
        </Stack>
      </Modal>
    </div>
  );
}

function Proof({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div className={classes.proof}>
      <Text size="xs" fw={600}>
        {title}
      </Text>
      {children}
    </div>
  );
}

function Line({ name, value }: { name: string; value: string }) {
  return (
    <div className={classes.line}>
      <Text size="xs" c="dimmed">
        {name}
      </Text>
      <Code className={classes.value}>{value}</Code>
      <Copy text={value} label={`Copy the ${name.toLowerCase()}`} />
    </div>
  );
}
