import { Button, Group, Modal, Progress, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { upload } from "../api/client";
import type { ServiceDetail } from "../api/types";
import type { Collected } from "../deploy/collect";
import { Dropzone } from "../deploy/Dropzone";
import { tellProblem } from "../parts/tell";
import { useServiceActions } from "./actions";

const WHAT: Record<string, string> = {
  git: "Homeport fetches the newest commit and builds it.",
  template: "Homeport builds the template again with the current settings.",
  upload: "Drop a newer folder or archive here, or build the last one again.",
};

/** Asks, for what was uploaded, whether there is something newer; the version that runs serves until the new one is healthy. */
export function Redeploy({ service, children }: { service: ServiceDetail; children: (open: () => void) => ReactNode }) {
  const [opened, { open, close }] = useDisclosure(false);
  const { redeploy } = useServiceActions();
  const [source, setSource] = useState<Collected | null>(null);
  const [part, setPart] = useState(0);
  const ref = service.name;
  const go = useMutation({
    mutationFn: async () => {
      const sent = source && (await upload<{ id: string }>("/api/uploads", source.file, setPart));
      await redeploy.mutateAsync({ ref, upload_id: sent?.id }).then(close);
    },
    onError: (error) => !redeploy.isError && tellProblem(error, "Could not send the folder"),
  });
  return (
    <>
      {children(open)}
      <Modal opened={opened} onClose={close} title={`Redeploy ${ref}`} size="lg">
        <Stack>
          <Text size="sm">
            {WHAT[service.deploy_method]} What runs now keeps serving until the new release is healthy.
          </Text>
          {service.deploy_method === "upload" && <Dropzone collected={source} change={setSource} />}
          {go.isPending && source && <Progress value={part * 100} aria-label="Sent" />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button loading={go.isPending} onClick={() => go.mutate()} data-autofocus>
              {service.deploy_method === "upload" && !source ? "Build the last one again" : "Redeploy"}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
