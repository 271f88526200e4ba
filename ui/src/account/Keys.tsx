import { Stack } from "@mantine/core";
import { ApiKeys } from "./ApiKeys";
import { Certificates } from "./Certificates";
import { SshKeys } from "./SshKeys";

/** What programs and machines use in my name. */
export default function Keys() {
  return (
    <Stack gap="lg">
      <ApiKeys />
      <SshKeys />
      <Certificates />
    </Stack>
  );
}
