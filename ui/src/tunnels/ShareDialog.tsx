import {
  Alert,
  Anchor,
  Checkbox,
  Collapse,
  Group,
  Radio,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
  UnstyledButton,
} from "@mantine/core";
import { IconAlertTriangle, IconChevronDown, IconChevronRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { portalQuery } from "../api/queries";
import { useAct } from "../parts/act";
import { FormDialog, Made } from "../parts/FormDialog";
import { fieldsOf } from "../parts/problems";
import { type Tunnel, tunnelQuery, tunnels } from "./calls";
import { Qr, TunnelStatus, Where } from "./parts";
import { ACCESS, LASTS, nameProblem, relayProblem } from "./words";

interface ShareDialogProps {
  service: string;
  /** Whether it speaks HTTP: only web pages can ask their visitors to sign in. */
  web?: boolean;
  close: () => void;
}

/** Puts a service on the internet, and shows its address when it is there. */
export function ShareDialog({ service, web = true, close }: ShareDialogProps) {
  const [made, setMade] = useState<Tunnel | null>(null);
  return made ? <Result made={made} close={close} /> : <Ask service={service} web={web} close={close} made={setMade} />;
}

function Ask(props: { service: string; web: boolean; close: () => void; made: (tunnel: Tunnel) => void }) {
  const { service, web, close, made } = props;
  const portal = useQuery(portalQuery);
  const [access, setAccess] = useState<Tunnel["access"]>("everyone");
  const [lasts, setLasts] = useState("28800");
  const [name, setName] = useState("");
  const [relay, setRelay] = useState("");
  const [description, setDescription] = useState("");
  const [listed, setListed] = useState(false);
  const [more, setMore] = useState(false);
  const act = useAct({
    run: () =>
      tunnels.share(service, {
        name: name || null,
        relays: relay ? [relay] : [],
        expires_in: lasts ? Number(lasts) : null,
        access,
        description,
        hide: !listed,
      }),
    refresh: [["tunnels"]],
  });
  const refused = fieldsOf(act.error);
  const problems = { name: nameProblem(name), relay: relayProblem(relay) };
  const domain = portal.data?.domain;
  return (
    <FormDialog
      title={`Share ${service}`}
      verb="Share"
      act={act}
      close={close}
      ready={!problems.name && !problems.relay}
      submit={() => act.mutate(undefined, { onSuccess: made })}
      fields={["name", "relays", "relays.0"]}
    >
      <Radio.Group
        label="Who may open it"
        value={access}
        onChange={(value) => setAccess(value === "signed_in" ? "signed_in" : "everyone")}
      >
        <Stack gap={8} mt={6}>
          <Radio value="everyone" label={ACCESS.everyone} description="Whoever has the address" />
          <Radio
            value="signed_in"
            label={ACCESS.signed_in}
            disabled={!web}
            description={
              web
                ? "And who may see this service; its pages are told who it is"
                : "Only web pages can ask their visitors to sign in"
            }
          />
        </Stack>
      </Radio.Group>
      <Select
        label="For how long"
        data={LASTS}
        value={lasts}
        allowDeselect={false}
        onChange={(value) => setLasts(value ?? "")}
      />
      <UnstyledButton onClick={() => setMore(!more)} aria-expanded={more}>
        <Group gap={4}>
          {more ? <IconChevronDown size={15} /> : <IconChevronRight size={15} />}
          <Text size="sm" fw={550}>
            Name, relay and listing
          </Text>
        </Group>
      </UnstyledButton>
      <Collapse expanded={more}>
        <Stack gap="sm">
          <TextInput
            label="Name"
            description={`The first part of its address${domain ? `, before .${relay ? "the relay's name" : domain}` : ""}; made up when empty`}
            placeholder={`${service}-…`}
            autoComplete="off"
            spellCheck={false}
            value={name}
            error={problems.name ?? refused.name}
            onChange={(event) => setName(event.currentTarget.value.trim().toLowerCase())}
          />
          <TextInput
            label="Relay"
            description="Another relay's address; this portal's own when empty"
            placeholder="https://relay.example.org"
            autoComplete="off"
            spellCheck={false}
            value={relay}
            error={problems.relay ?? refused.relays ?? refused["relays.0"]}
            onChange={(event) => setRelay(event.currentTarget.value.trim())}
          />
          <Textarea
            label="Description"
            description="For lists of tunnels"
            autosize
            maxRows={4}
            maxLength={500}
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
          />
          <Checkbox
            label="List it publicly"
            description="In the relay's list of tunnels, which anybody may read"
            checked={listed}
            onChange={(event) => setListed(event.currentTarget.checked)}
          />
        </Stack>
      </Collapse>
    </FormDialog>
  );
}

function Result({ made, close }: { made: Tunnel; close: () => void }) {
  const { data } = useQuery(tunnelQuery(made.id));
  const tunnel = data ?? made;
  return (
    <Made title={`${made.service_name} is shared`} close={close}>
      <Group gap="lg" align="flex-start" wrap="nowrap">
        <Stack gap="xs" flex={1} miw={0}>
          <span aria-live="polite">
            <TunnelStatus tunnel={tunnel} pill />
          </span>
          <Where tunnel={tunnel} size="md" />
          <Text size="sm" c="dimmed">
            {tunnel.access === "signed_in"
              ? "Visitors sign in to this portal first."
              : "Whoever has this address can open it."}
          </Text>
        </Stack>
        <Qr tunnel={tunnel} />
      </Group>
      {tunnel.error && (
        <Alert color={tunnel.status === "error" ? "red" : "yellow"} p="xs" icon={<IconAlertTriangle />} role="alert">
          {tunnel.error}
        </Alert>
      )}
      <Anchor component={Link} to="/tunnels/$id" params={{ id: tunnel.id } as never} size="sm" onClick={close}>
        See its traffic, or end it
      </Anchor>
    </Made>
  );
}
