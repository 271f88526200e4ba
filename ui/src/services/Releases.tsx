import { Button, Group, Modal, Paper, Stack, Table, Text } from "@mantine/core";
import { IconArrowBackUp, IconHistory } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { releasesQuery, serviceQuery } from "../api/queries";
import type { Release } from "../api/types";
import { megabytes } from "../parts/numbers";
import rows from "../parts/Rows.module.css";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import { useCan } from "../session/session";
import { useServiceActions } from "./actions";

const route = getRouteApi("/services/$ref");

export default function Releases() {
  const { ref } = route.useParams();
  const releases = useQuery(releasesQuery(ref));
  const service = useQuery(serviceQuery(ref)).data;
  const can = useCan()("services.deploy");
  const [target, setTarget] = useState<Release | null>(null);
  if (releases.isPending) return <Loading rows={6} />;
  if (releases.error) return <Failed error={releases.error} what="the releases" retry={releases.refetch} />;
  const { data } = releases.data;
  if (data.length === 0)
    return (
      <Empty icon={<IconHistory size={32} stroke={1.4} />} title="No release yet">
        Each deploy makes one. You can go back to an earlier one at any time.
      </Empty>
    );
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        A release is a build with the variables and routes it had. Rolling back brings all of them back together; your
        data stays as it is.
      </Text>
      <Paper>
        <Table className={rows.rows}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Release</Table.Th>
              <Table.Th>Status</Table.Th>
              <Table.Th>What it is</Table.Th>
              <Table.Th>Made</Table.Th>
              <Table.Th ta="right">Size</Table.Th>
              <Table.Th w={150} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data.map((release) => (
              <Table.Tr key={release.id} data-release={release.number}>
                <Table.Td fw={600} className="num" data-label="Release">
                  {release.number}
                </Table.Td>
                <Table.Td>
                  <StatusWord status={release.status} pill={release.status === "live"} />
                </Table.Td>
                <Table.Td data-wide>
                  <Text size="sm">{release.summary ?? release.deploy_method}</Text>
                  {release.revision && release.deploy_method === "git" && (
                    <Text size="xs" c="dimmed" className="mono">
                      {release.revision.slice(0, 12)}
                    </Text>
                  )}
                </Table.Td>
                <Table.Td c="dimmed" data-label="Made">
                  <When at={release.created_at} />
                </Table.Td>
                <Table.Td ta="right" className="num" data-label="Size">
                  {release.size_mb === null ? "–" : megabytes(release.size_mb)}
                </Table.Td>
                <Table.Td ta="right" data-wide>
                  <Group gap={4} justify="flex-end" wrap="nowrap">
                    {release.job_id && (
                      <Button
                        size="compact-xs"
                        variant="subtle"
                        color="gray"
                        component={Link}
                        to={`/jobs/${release.job_id}`}
                      >
                        Log
                      </Button>
                    )}
                    {can && release.can_rollback && (
                      <Button
                        size="compact-xs"
                        variant="default"
                        leftSection={<IconArrowBackUp size={13} />}
                        disabled={service?.status === "deploying"}
                        onClick={() => setTarget(release)}
                      >
                        Roll back
                      </Button>
                    )}
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Paper>
      <Confirm service={ref} release={target} close={() => setTarget(null)} />
    </Stack>
  );
}

function Confirm({ service, release, close }: { service: string; release: Release | null; close: () => void }) {
  const { rollback } = useServiceActions();
  return (
    <Modal
      opened={release !== null}
      onClose={close}
      title={`Roll ${service} back to release ${release?.number ?? ""}?`}
    >
      <Stack>
        <Text size="sm">
          {release?.summary && <strong>{release.summary}. </strong>}
          Its build, variables and routes come back as they were. What runs now keeps serving until that release is
          healthy.
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button
            data-autofocus
            loading={rollback.isPending}
            onClick={() => release && rollback.mutate({ ref: service, release: release.id }, { onSettled: close })}
          >
            Roll back
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
