import { Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Failed, Loading } from "../parts/states";
import { profileQuery } from "./calls";
import { OwnSessions } from "./OwnSessions";
import { Passkeys } from "./Passkeys";
import { PasswordSection } from "./Password";
import { TwoFactor } from "./TwoFactor";

/** How I sign in, and where I am signed in. */
export default function Security() {
  const profile = useQuery(profileQuery);
  if (profile.isPending) return <Loading rows={8} />;
  if (profile.error) return <Failed error={profile.error} what="your account" retry={profile.refetch} />;
  return (
    <Stack gap="lg">
      <PasswordSection profile={profile.data} />
      <TwoFactor />
      <Passkeys />
      <OwnSessions />
    </Stack>
  );
}
