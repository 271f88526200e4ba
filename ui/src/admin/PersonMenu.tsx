import { ActionIcon, Menu } from "@mantine/core";
import {
  IconBan,
  IconDeviceDesktop,
  IconDots,
  IconKey,
  IconLockOpen,
  IconShield,
  IconShieldOff,
  IconTrash,
} from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { meQuery } from "../api/queries";
import { tell, tellProblem } from "../parts/tell";
import { useCan } from "../session/session";
import { admin } from "./calls";
import { BanDialog, RemoveDialog, ResetPassword, ResetSecondFactor } from "./PersonDialogs";
import { PersonSessions } from "./PersonSessions";
import { RoleDialog } from "./RoleDialog";
import type { Person, Role } from "./types";

type Asked = "role" | "password" | "factor" | "sessions" | "ban" | "remove";

/** What can be done with an account; nothing where the person may not, or where it is their own. */
export function PersonMenu({ person, roles }: { person: Person; roles: Role[] }) {
  const client = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const can = useCan();
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);
  const unban = useMutation({
    mutationFn: () => admin.unban(person.id),
    onSuccess: () => {
      tell(`${person.username} may sign in again.`);
      return client.invalidateQueries({ queryKey: ["admin", "people"] });
    },
    onError: (error) => tellProblem(error),
  });
  const own = me?.username === person.username;
  const mine = roles.includes(person.role) && !own;
  if (!can("users.write") || !mine) return null;
  return (
    <>
      <Menu position="bottom-end" width={230}>
        <Menu.Target>
          <ActionIcon aria-label={`What to do with ${person.username}`}>
            <IconDots size={17} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconShield size={16} />} onClick={() => setAsked("role")}>
            Role and scopes…
          </Menu.Item>
          <Menu.Item leftSection={<IconKey size={16} />} onClick={() => setAsked("password")}>
            Reset the password…
          </Menu.Item>
          {person.totp_enabled && (
            <Menu.Item leftSection={<IconShieldOff size={16} />} onClick={() => setAsked("factor")}>
              Take off the second factor…
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconDeviceDesktop size={16} />} onClick={() => setAsked("sessions")}>
            Sessions
          </Menu.Item>
          <Menu.Divider />
          {person.banned_at ? (
            <Menu.Item leftSection={<IconLockOpen size={16} />} onClick={() => unban.mutate()}>
              Lift the ban
            </Menu.Item>
          ) : (
            <Menu.Item color="red" leftSection={<IconBan size={16} />} onClick={() => setAsked("ban")}>
              Ban…
            </Menu.Item>
          )}
          {can("users.delete") && (
            <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={() => setAsked("remove")}>
              Delete…
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      {asked === "role" && <RoleDialog person={person} roles={roles} close={close} />}
      {asked === "password" && <ResetPassword person={person} close={close} />}
      {asked === "factor" && <ResetSecondFactor person={person} close={close} />}
      {asked === "sessions" && <PersonSessions person={person} close={close} />}
      {asked === "ban" && <BanDialog person={person} close={close} />}
      {asked === "remove" && <RemoveDialog person={person} close={close} />}
    </>
  );
}
