import { Anchor, Group } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import { Copy } from "./Copy";

/** Where a service lives, to open and to copy. */
export function Address({ url, copy = true, size = "sm" }: { url: string; copy?: boolean; size?: string }) {
  return (
    <Group gap={4} wrap="nowrap" miw={0}>
      <Anchor
        href={url}
        target="_blank"
        rel="noreferrer"
        size={size}
        className="cut"
        onClick={(e) => e.stopPropagation()}
      >
        {url.replace(/^https?:\/\//, "")}
        <IconExternalLink size={13} style={{ marginLeft: 4, verticalAlign: "-2px" }} aria-hidden />
      </Anchor>
      {copy && <Copy text={url} label="Copy the address" />}
    </Group>
  );
}
