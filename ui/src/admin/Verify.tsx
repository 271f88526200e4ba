import { Alert, Button, List, Modal, Stack, Text } from "@mantine/core";
import { IconShieldCheck, IconShieldX } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { count } from "../parts/numbers";
import { Failed } from "../parts/states";
import { admin } from "./calls";

/** Reads the whole log and says whether it is as it was written. */
export function Verify() {
  const verify = useMutation({ mutationFn: admin.verifyAudit });
  const verdict = verify.data;
  return (
    <>
      <Button
        variant="default"
        size="xs"
        leftSection={<IconShieldCheck size={15} />}
        loading={verify.isPending}
        onClick={() => verify.mutate()}
      >
        Verify the log
      </Button>
      {(verdict || verify.error) && (
        <Modal opened onClose={verify.reset} title="The audit log">
          <Stack>
            {verify.error && <Failed error={verify.error} what="the verdict" retry={() => verify.mutate()} />}
            {verdict?.intact && (
              <Alert color="teal" icon={<IconShieldCheck />} title="Intact" data-testid="verdict">
                {count(verdict.records, "record")} read. None was changed, taken out or put in.
              </Alert>
            )}
            {verdict && !verdict.intact && (
              <Alert color="red" icon={<IconShieldX />} title="Not as it was written" data-testid="verdict">
                <Stack gap="xs">
                  <Text size="sm">{count(verdict.records, "record")} read:</Text>
                  <List size="sm">
                    {verdict.problems.map((problem) => (
                      <List.Item key={problem}>{problem}</List.Item>
                    ))}
                  </List>
                  <Text size="sm">
                    Somebody changed the database from outside the portal, or it was restored in part. A backup shows
                    what it was.
                  </Text>
                </Stack>
              </Alert>
            )}
          </Stack>
        </Modal>
      )}
    </>
  );
}
