import {
  Button,
  ColorInput,
  Group,
  Input,
  Paper,
  SegmentedControl,
  Select,
  Stack,
  Switch,
  Text,
  TextInput,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { meQuery } from "../api/queries";
import { Section } from "../parts/Page";
import { fieldsOf, Refused } from "../parts/problems";
import { Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { account, profileQuery } from "./calls";
import { FACE_COLORS, Face, initialsOf } from "./Face";
import type { AvatarLook, Presence, Profile } from "./types";

const PRESENCES: { value: Presence; label: string }[] = [
  { value: "online", label: "Online" },
  { value: "away", label: "Away" },
  { value: "busy", label: "Busy" },
  { value: "dnd", label: "Do not disturb" },
  { value: "offline", label: "Offline (nobody sees that you are here)" },
];
const NICKNAME = /^[A-Za-z0-9 _-]{2,32}$/;

/** How others see me. */
export default function ProfilePage() {
  const profile = useQuery(profileQuery);
  if (profile.isPending) return <Loading rows={8} />;
  if (profile.error) return <Failed error={profile.error} what="your profile" retry={profile.refetch} />;
  return (
    <Stack gap="lg">
      <Look key={profile.data.user_id} profile={profile.data} />
      <Chat profile={profile.data} />
      <Names profile={profile.data} />
    </Stack>
  );
}

const sameLook = (one: AvatarLook, other: AvatarLook) =>
  (one.color ?? "") === (other.color ?? "") &&
  (one.emoji ?? "") === (other.emoji ?? "") &&
  (one.initials ?? "") === (other.initials ?? "");

function Look({ profile }: { profile: Profile }) {
  const client = useQueryClient();
  const [nickname, setNickname] = useState(profile.nickname ?? "");
  const [status, setStatus] = useState<Presence>(profile.status);
  const [message, setMessage] = useState(profile.status_message);
  const [color, setColor] = useState(profile.avatar?.color ?? "");
  const [emoji, setEmoji] = useState(profile.avatar?.emoji ?? "");
  const [initials, setInitials] = useState(profile.avatar?.initials ?? "");
  const [kind, setKind] = useState(emoji ? "emoji" : "initials");
  const shown = nickname.trim() || profile.name || profile.username;
  const look: AvatarLook = {
    color: color || null,
    emoji: kind === "emoji" ? emoji.trim() || null : null,
    initials: kind === "initials" ? initials.trim() || null : null,
  };
  const before = profile.avatar ?? {};
  const newName = nickname.trim() !== (profile.nickname ?? "");
  const newStatus = status !== profile.status || message.trim() !== profile.status_message;
  const newLook = !sameLook(look, before);
  const bad =
    nickname.trim() && !NICKNAME.test(nickname.trim())
      ? "2 to 32 letters, digits, spaces, dashes or underscores."
      : null;
  const save = useMutation({
    mutationFn: async () => {
      if (newName) await account.changeNickname(nickname.trim());
      if (newStatus) await account.changeStatus(status, message.trim());
      if (newLook) await account.changeAvatar(look);
    },
    onSuccess: () => tell("Your profile is saved."),
    onSettled: () => Promise.all([client.invalidateQueries(profileQuery), client.invalidateQueries(meQuery)]),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!bad) save.mutate();
  };
  return (
    <Section title="How others see you">
      <Paper p="md" component="form" onSubmit={submit} aria-label="How others see you">
        <Stack gap="md">
          <Refused error={save.error} />
          <Group gap="md" align="center" wrap="nowrap">
            <Face look={look} name={shown} size={64} />
            <div style={{ minWidth: 0 }}>
              <Text fw={650} fz="lg" className="cut">
                {shown}
              </Text>
              <Text size="sm" c="dimmed" className="cut">
                {PRESENCES.find((one) => one.value === status)?.label.split(" (")[0]}
                {message.trim() && ` · ${message.trim()}`}
              </Text>
            </div>
          </Group>
          <TextInput
            label="Nickname"
            description={`Shown instead of ${profile.username}; empty for none`}
            maxLength={32}
            value={nickname}
            error={bad}
            onChange={(event) => setNickname(event.currentTarget.value)}
          />
          <Group gap="sm" align="flex-start" grow preventGrowOverflow={false}>
            <Select
              label="Status"
              data={PRESENCES}
              allowDeselect={false}
              value={status}
              onChange={(value) => setStatus((value ?? "online") as Presence)}
              miw={200}
            />
            <TextInput
              label="Message"
              placeholder="Back at three"
              maxLength={100}
              value={message}
              miw={200}
              onChange={(event) => setMessage(event.currentTarget.value)}
            />
          </Group>
          <Group gap="sm" align="flex-end">
            <Input.Wrapper label="Picture" labelElement="div" labelProps={{ style: { display: "block" } }}>
              <SegmentedControl
                size="sm"
                aria-label="What your picture shows"
                data={[
                  { value: "initials", label: "Letters" },
                  { value: "emoji", label: "An emoji" },
                ]}
                value={kind}
                onChange={setKind}
              />
            </Input.Wrapper>
            {kind === "emoji" ? (
              <TextInput
                label="Emoji"
                w={110}
                maxLength={8}
                placeholder="🦉"
                value={emoji}
                onChange={(event) => setEmoji(event.currentTarget.value)}
              />
            ) : (
              <TextInput
                label="Letters"
                w={110}
                maxLength={2}
                placeholder={initialsOf(shown)}
                value={initials}
                onChange={(event) => setInitials(event.currentTarget.value.toUpperCase())}
              />
            )}
            <ColorInput
              label="Colour"
              w={170}
              format="hex"
              placeholder="Choose one"
              swatches={FACE_COLORS}
              swatchesPerRow={5}
              value={color}
              onChange={setColor}
            />
          </Group>
          <Group justify="flex-end">
            <Button type="submit" loading={save.isPending} disabled={!(newName || newStatus || newLook) || !!bad}>
              Save
            </Button>
          </Group>
        </Stack>
      </Paper>
    </Section>
  );
}

function Chat({ profile }: { profile: Profile }) {
  const client = useQueryClient();
  const [anonymous, setAnonymous] = useState(profile.chat_anonymous);
  const change = useMutation({
    mutationFn: account.changeAnonymous,
    onSuccess: () => client.invalidateQueries(profileQuery),
    onError: (error) => {
      setAnonymous(profile.chat_anonymous);
      tellProblem(error);
    },
  });
  return (
    <Section title="In chat">
      <Paper p="md">
        <Switch
          label="Write without my name"
          description="What you write from now on is shown as from nobody in particular, and stays so."
          checked={anonymous}
          onChange={(event) => {
            setAnonymous(event.currentTarget.checked);
            change.mutate(event.currentTarget.checked);
          }}
        />
      </Paper>
    </Section>
  );
}

function Names({ profile }: { profile: Profile }) {
  const client = useQueryClient();
  const [name, setName] = useState(profile.name);
  const [email, setEmail] = useState(profile.email ?? "");
  const save = useMutation({
    mutationFn: () => account.changeProfile({ name: name.trim(), email: email.trim() || null }),
    onSuccess: () => {
      tell("Saved.");
      return Promise.all([client.invalidateQueries(profileQuery), client.invalidateQueries(meQuery)]);
    },
  });
  const fields = fieldsOf(save.error);
  const bad = email.trim() && !/^[^@\s]+@[^@\s]+$/.test(email.trim()) ? "It looks like name@example.com." : null;
  const changed = name.trim() !== profile.name || email.trim() !== (profile.email ?? "");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() && !bad) save.mutate();
  };
  return (
    <Section title="Account">
      <Paper p="md" component="form" onSubmit={submit} aria-label="Account">
        <Stack gap="md">
          <Refused error={save.error} shown={["name", "email"]} />
          <TextInput
            label="User name"
            description="What you sign in with; it stays"
            value={profile.username}
            readOnly
          />
          <Group gap="sm" align="flex-start" grow preventGrowOverflow={false}>
            <TextInput
              label="Name"
              maxLength={100}
              miw={200}
              value={name}
              error={fields.name ?? (name.trim() ? null : "Give a name.")}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <TextInput
              label="E-mail"
              type="email"
              miw={200}
              placeholder="you@example.com"
              value={email}
              error={fields.email ?? bad}
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
          </Group>
          <Group justify="space-between">
            <Text size="xs" c="dimmed">
              Your role is {profile.role}.
            </Text>
            <Button type="submit" loading={save.isPending} disabled={!changed || !!bad || !name.trim()}>
              Save the account
            </Button>
          </Group>
        </Stack>
      </Paper>
    </Section>
  );
}
