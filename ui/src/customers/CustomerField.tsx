import { Select } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { customersQuery } from "../api/queries";
import { useCan } from "../session/session";

interface CustomerFieldProps {
  description: string;
  value: string | null;
  change: (id: string | null) => void;
  error?: string;
}

/** The customer that something is for; nothing where there is none to choose, or for who is no administrator. */
export function CustomerField({ description, value, change, error }: CustomerFieldProps) {
  const can = useCan()("customers.write");
  const customers = useQuery({ ...customersQuery({ status: "active", per_page: 100 }), enabled: can });
  const list = customers.data?.data ?? [];
  if (list.length === 0) return null;
  return (
    <Select
      label="Customer"
      description={description}
      placeholder="None"
      searchable
      clearable
      nothingFoundMessage="No active customer of this name"
      data={list.map((one) => ({ value: one.id, label: one.name }))}
      value={value}
      error={error}
      onChange={change}
    />
  );
}
