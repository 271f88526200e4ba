import { Select } from "@mantine/core";
import type { Driver } from "../api/types";

const CHOICES: { value: Driver; label: string }[] = [
  { value: "process", label: "As a process, without containers" },
  { value: "compose", label: "Docker on this machine" },
  { value: "swarm", label: "Docker Swarm, over several machines" },
];

interface Props {
  value: Driver | undefined;
  change: (driver: Driver | undefined) => void;
  /** Whether what is deployed can also run without containers. */
  process?: boolean;
}

/** What runs the service; nothing chosen leaves it to the portal. */
export function DriverChoice({ value, change, process }: Props) {
  return (
    <Select
      label="Runs on"
      description="Leave it to Homeport unless you know better."
      placeholder="Whatever fits"
      clearable
      maw={340}
      data={process ? CHOICES : CHOICES.filter((one) => one.value !== "process")}
      value={value ?? null}
      onChange={(driver) => change((driver as Driver | null) ?? undefined)}
    />
  );
}
