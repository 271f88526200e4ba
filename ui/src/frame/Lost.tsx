import { Button } from "@mantine/core";
import { IconMapQuestion } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { Empty, Failed } from "../parts/states";

export function NotFound() {
  return (
    <Empty
      icon={<IconMapQuestion size={32} stroke={1.4} />}
      title="There is no page at this address"
      action={
        <Button component={Link} to="/" variant="default">
          Go home
        </Button>
      }
    />
  );
}

/** A page that broke; a reload also fetches a newer version of the UI, the usual reason for a missing part. */
export function RouteFailed({ error }: { error: unknown }) {
  return (
    <Failed
      error={error instanceof Error ? error : new Error(String(error))}
      what="this page"
      retry={() => location.reload()}
    />
  );
}
