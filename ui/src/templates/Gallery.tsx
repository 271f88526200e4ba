import { Badge, Chip, Group, SimpleGrid, Stack, Text, TextInput, Title, Tooltip, UnstyledButton } from "@mantine/core";
import { IconBrandDocker, IconSearch, IconShieldCheck, IconShieldHalf, IconTemplateOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { templatesQuery } from "../api/queries";
import type { Template } from "../api/types";
import { Empty, Failed, Loading } from "../parts/states";
import classes from "./Gallery.module.css";
import { CATEGORIES, matches, needs, needsDocker } from "./needs";

/** Templates to choose from, searched here: the whole catalogue is one small answer. */
export function Gallery({ choose }: { choose: (id: string) => void }) {
  const templates = useQuery(templatesQuery);
  const [search, setSearch] = useState("");
  const [category, setCategory] = useState("");
  const [light, setLight] = useState(false);
  if (templates.isPending) return <Loading rows={5} height={40} />;
  if (templates.error) return <Failed error={templates.error} what="the templates" retry={templates.refetch} />;
  const all = templates.data.data;
  if (all.length === 0)
    return (
      <Empty icon={<IconTemplateOff size={32} stroke={1.4} />} title="This portal has no templates">
        Deploy from git or upload a folder instead.
      </Empty>
    );
  const categories = [...new Set(all.map((template) => template.category))].toSorted();
  const shown = all.filter(
    (template) =>
      (!category || template.category === category) && (!light || !needsDocker(template)) && matches(template, search),
  );
  const browsing = !search.trim() && !category && !light;
  const featured = browsing ? shown.filter((template) => template.featured && !template.coming_soon) : [];
  const rest = browsing && featured.length ? shown.filter((template) => !featured.includes(template)) : shown;
  return (
    <Stack gap="md">
      <Group gap="sm">
        <TextInput
          className={classes.search}
          placeholder="Search templates"
          aria-label="Search templates"
          leftSection={<IconSearch size={16} stroke={1.6} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Escape" && setSearch("")}
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
        {all.some(needsDocker) && (
          <Chip size="xs" variant="outline" checked={light} onChange={setLight}>
            Without Docker
          </Chip>
        )}
      </Group>
      {shown.length === 0 && (
        <Empty icon={<IconTemplateOff size={32} stroke={1.4} />} title="No template matches">
          Try another word, or deploy from git or a folder instead.
        </Empty>
      )}
      {featured.length > 0 && <Shelf title="Featured" templates={featured} choose={choose} />}
      {rest.length > 0 && <Shelf title={featured.length > 0 ? "All others" : ""} templates={rest} choose={choose} />}
    </Stack>
  );
}

function Shelf(props: { title: string; templates: Template[]; choose: (id: string) => void }) {
  return (
    <section aria-label={props.title || "Templates"}>
      {props.title && (
        <Title order={2} fz="sm" mb={8}>
          {props.title}
        </Title>
      )}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
        {props.templates.map((template) => (
          <UnstyledButton
            key={template.id}
            className={classes.card}
            disabled={template.coming_soon}
            data-template={template.id}
            onClick={() => props.choose(template.id)}
          >
            <TemplateHead template={template} />
            <Text size="sm" c="dimmed" lineClamp={3}>
              {template.description}
            </Text>
            <Marks template={template} />
          </UnstyledButton>
        ))}
      </SimpleGrid>
    </section>
  );
}

export function TemplateHead({ template }: { template: Template }) {
  return (
    <Group gap="sm" wrap="nowrap">
      <img src={template.logo} alt="" width={32} height={32} loading="lazy" className={classes.logo} />
      <div className={classes.title}>
        <Text fw={600} size="sm">
          {template.name}
        </Text>
        <Text size="xs" c="dimmed">
          {CATEGORIES[template.category] ?? template.category}
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

/** What it takes and how it is kept in: resources, containers, security profile. */
export function Marks({ template }: { template: Template }) {
  const advanced = template.security_profile === "advanced";
  const Shield = advanced ? IconShieldHalf : IconShieldCheck;
  return (
    <div className={classes.marks}>
      <Text size="xs" c="dimmed" className="num" mb={6}>
        {needs(template)}
      </Text>
      <Group gap={6}>
        {needsDocker(template) && (
          <Tooltip label="Runs in containers: this machine needs Docker">
            <Badge
              size="xs"
              variant="light"
              color="gray"
              tt="none"
              leftSection={<IconBrandDocker size={12} aria-hidden />}
            >
              needs Docker
            </Badge>
          </Tooltip>
        )}
        <Tooltip
          label={advanced ? "Needs more of the machine than most: read its page first" : "Runs with the usual limits"}
        >
          <Badge
            size="xs"
            variant="light"
            color={advanced ? "yellow" : "gray"}
            tt="none"
            leftSection={<Shield size={12} aria-hidden />}
          >
            {template.security_profile}
          </Badge>
        </Tooltip>
      </Group>
    </div>
  );
}
