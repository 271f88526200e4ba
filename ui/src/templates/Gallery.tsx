import { Badge, Chip, Group, SimpleGrid, Stack, Text, TextInput, UnstyledButton } from "@mantine/core";
import { IconSearch, IconTemplateOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { templatesQuery } from "../api/queries";
import type { Template } from "../api/types";
import { megabytes } from "../parts/numbers";
import { Empty, Failed, Loading } from "../parts/states";
import classes from "./Gallery.module.css";

const CATEGORIES: Record<string, string> = {
  ai: "AI",
  databases: "Databases",
  devtools: "Developer tools",
  webapps: "Web apps",
};

/** Templates to choose from, searched here: the whole catalogue is one small answer. */
export function Gallery({ choose }: { choose: (id: string) => void }) {
  const templates = useQuery(templatesQuery);
  const [search, setSearch] = useState("");
  const [category, setCategory] = useState("");
  if (templates.isPending) return <Loading rows={5} height={40} />;
  if (templates.error) return <Failed error={templates.error} what="the templates" retry={templates.refetch} />;
  const all = templates.data.data;
  const categories = [...new Set(all.map((template) => template.category))].toSorted();
  const words = search.trim().toLowerCase();
  const shown = all.filter(
    (template) =>
      (!category || template.category === category) &&
      `${template.id} ${template.name} ${template.description}`.toLowerCase().includes(words),
  );
  return (
    <Stack gap="md">
      <Group gap="sm">
        <TextInput
          w={260}
          placeholder="Search templates"
          aria-label="Search templates"
          leftSection={<IconSearch size={16} stroke={1.6} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        {categories.length > 1 && (
          <Chip.Group value={category} onChange={(value) => setCategory(String(value))}>
            <Group gap={6}>
              {["", ...categories].map((one) => (
                <Chip key={one} value={one} size="xs" variant="outline">
                  {one ? (CATEGORIES[one] ?? one) : "All"}
                </Chip>
              ))}
            </Group>
          </Chip.Group>
        )}
      </Group>
      {shown.length === 0 && (
        <Empty icon={<IconTemplateOff size={32} stroke={1.4} />} title="No template matches">
          Deploy from git or upload a folder instead.
        </Empty>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
        {shown.map((template) => (
          <UnstyledButton
            key={template.id}
            className={classes.card}
            disabled={template.coming_soon}
            data-template={template.id}
            onClick={() => choose(template.id)}
          >
            <TemplateHead template={template} />
            <Text size="sm" c="dimmed" lineClamp={3}>
              {template.description}
            </Text>
          </UnstyledButton>
        ))}
      </SimpleGrid>
    </Stack>
  );
}

export function TemplateHead({ template }: { template: Template }) {
  const memory = template.min_resources.memory_mb;
  return (
    <Group gap="sm" wrap="nowrap">
      <img src={template.logo} alt="" width={32} height={32} className={classes.logo} />
      <div className={classes.title}>
        <Text fw={600} size="sm">
          {template.name}
        </Text>
        <Text size="xs" c="dimmed">
          {CATEGORIES[template.category] ?? template.category}
          {memory !== undefined && ` · needs ${megabytes(memory)}`}
        </Text>
      </div>
      {template.coming_soon && (
        <Badge size="xs" variant="light" color="gray" tt="none" ml="auto">
          Coming soon
        </Badge>
      )}
    </Group>
  );
}
