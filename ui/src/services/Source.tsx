import { Group, Text } from "@mantine/core";
import { IconBrandGit, IconStack2, IconTemplate, IconUpload, IconWand } from "@tabler/icons-react";
import type { ServiceRow } from "../api/types";

const METHODS: Record<string, { icon: typeof IconBrandGit; words: string }> & {
  template: { icon: typeof IconBrandGit; words: string };
} = {
  template: { icon: IconTemplate, words: "Template" },
  git: { icon: IconBrandGit, words: "Git" },
  upload: { icon: IconUpload, words: "Uploaded" },
  compose: { icon: IconStack2, words: "Compose" },
  ai: { icon: IconWand, words: "AI, from git" },
};

/** Where a service's code comes from, in a few words. */
export function Source({ service }: { service: Pick<ServiceRow, "deploy_method" | "template" | "release"> }) {
  const { deploy_method: method, template, release } = service;
  const { icon: Icon, words } = METHODS[method] ?? METHODS.template;
  return (
    <Group gap={4} wrap="nowrap" c="dimmed">
      <Icon size={13} stroke={1.7} aria-hidden />
      <Text size="xs" className="cut">
        {method === "template" ? (template ?? words) : words}
        {release !== null && ` · release ${release}`}
      </Text>
    </Group>
  );
}
