import { Alert, Badge, Group, Paper, Stack, Text } from "@mantine/core";
import type { Analysis } from "../api/types";
import { Said } from "../parts/Said";
import { Confidence } from "./Confidence";
import classes from "./Findings.module.css";

/** What was found in a repository, each with its reason and how sure it is. */
export function Findings({ analysis }: { analysis: Analysis }) {
  const { findings, language, start, port, dependencies, confidence, warnings } = analysis;
  const facts = [
    ["Language", language],
    ["Starts with", start],
    ["Listens on", port === null ? null : `port ${port}`],
  ] as const;
  return (
    <Paper p="md" component="section" aria-label="What was found">
      <Stack gap="sm">
        <Group justify="space-between">
          <Text size="sm" fw={600}>
            What was found
          </Text>
          <Confidence value={confidence} />
        </Group>
        <dl className={classes.facts}>
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className={name === "Starts with" ? "mono" : undefined}>{value ?? "not found"}</dd>
            </div>
          ))}
          <div>
            <dt>Needs</dt>
            <dd>
              {dependencies.length === 0
                ? "nothing else"
                : dependencies.map((one) => {
                    const name = typeof one === "string" ? one : (one.name ?? one.kind ?? "");
                    return (
                      <Badge
                        key={name}
                        variant="light"
                        tt="none"
                        mr={4}
                        title={typeof one === "string" ? "" : one.because}
                      >
                        {name}
                      </Badge>
                    );
                  })}
            </dd>
          </div>
        </dl>
        {warnings.length > 0 && (
          <Alert color="yellow" p="xs" title="Look at this before you deploy">
            {warnings.map((warning) => (
              <Text size="sm" key={warning}>
                {warning}
              </Text>
            ))}
          </Alert>
        )}
        <ul className={classes.list}>
          {findings.map(({ what, because, confidence: sure }) => (
            <li key={`${what} ${because}`} data-finding>
              <div>
                <Text size="sm" fw={550}>
                  <Said text={what.charAt(0).toUpperCase() + what.slice(1)} />
                </Text>
                <Text size="xs" c="dimmed">
                  <Said text={because} />
                </Text>
              </div>
              <Confidence value={sure} />
            </li>
          ))}
        </ul>
      </Stack>
    </Paper>
  );
}
