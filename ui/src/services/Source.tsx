import { Group, Text } from "@mantine/core";
import { IconBrandGit, IconTemplate, IconUpload } from "@tabler/icons-react";
import type { ServiceRow } from "../api/types";

/** Where a service's code comes from, in a few words. */
export function Source({ service }: { service: Pick<ServiceRow, "deploy_method" | "template" | "release"> }) {
  const { deploy_method: method, template, release } = service;
  const Icon = method === "git" ? IconBrandGit : method === "upload" ? IconUpload : IconTemplate;
  const words = method === "template" ? (template ?? "Template") : method === "git" ? "Git" : "Uploaded";
  return (
    <Group gap={4} wrap="nowrap" c="dimmed">
      <Icon size={13} stroke={1.7} aria-hidden />
      <Text size="xs" className="cut">
        {words}
        {release !== null && ` · release ${release}`}
      </Text>
    </Group>
  );
}
