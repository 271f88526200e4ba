import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { profileQuery } from "../account/calls";
import { ScopeBoxes } from "../account/ScopeBoxes";
import { canGive, PERSON_REACHES, personScopes } from "../account/scopes";
import { CustomerField } from "../customers/CustomerField";
import { ROLE_WORDS } from "./RoleDialog";
import type { Role } from "./types";

/** What a person who comes may do; `ready` is false while they may nothing. */
export function useNewcomer() {
  const [role, setRole] = useState<Role>("user");
  const [reach, setReach] = useState("role");
  const [chosen, setChosen] = useState<string[]>(["services:read"]);
  const [customer, setCustomer] = useState<string | null>(null);
  const scopes = personScopes(reach, chosen);
  const body = { role, scopes, customer_id: customer ?? undefined };
  return {
    body,
    ready: scopes?.length !== 0,
    role,
    setRole,
    reach,
    setReach,
    chosen,
    setChosen,
    customer,
    setCustomer,
  };
}

/** The fields of the body whose problems stand beside their inputs. */
export const NEWCOMER_FIELDS = ["role", "scopes", "customer_id"];

interface NewcomerFieldsProps {
  newcomer: ReturnType<typeof useNewcomer>;
  roles: Role[];
  problems: Record<string, string>;
}

/** Role, scopes in plain words, and the customer that they belong to. */
export function NewcomerFields({ newcomer, roles, problems }: NewcomerFieldsProps) {
  const held = useQuery(profileQuery).data?.scopes_list;
  const { role, setRole, reach, setReach, chosen, setChosen, customer, setCustomer } = newcomer;
  const reaches = PERSON_REACHES.filter((one) => !one.scopes || canGive(held, one.scopes));
  return (
    <>
      <Select
        label="Role"
        allowDeselect={false}
        data={roles.map((one) => ({ value: one, label: ROLE_WORDS[one] }))}
        value={role}
        error={problems.role}
        onChange={(next) => setRole((next ?? "user") as Role)}
      />
      <Select
        label="They may"
        allowDeselect={false}
        data={reaches.map(({ value, label }) => ({ value, label }))}
        value={reach}
        error={problems.scopes}
        onChange={(next) => setReach(next ?? "role")}
      />
      {reach === "own" && <ScopeBoxes held={held} chosen={chosen} change={setChosen} />}
      <CustomerField
        description="They see the services of this customer and nothing else"
        value={customer}
        change={setCustomer}
        error={problems.customer_id}
      />
    </>
  );
}
