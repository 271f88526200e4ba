import { Button } from "@mantine/core";
import { IconMapQuestion } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useLiveState } from "../live/LiveProvider";
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

/** A page whose code did not arrive: the portal is away, or was updated under this tab. It is loaded anew when it is back. */
export function RouteFailed({ error }: { error: unknown }) {
  const live = useLiveState();
  const began = useRef(live);
  const missing = /import|preload|fetch/i.test(String(error));
  useEffect(() => {
    if (missing && live === "live" && began.current !== "live") location.reload();
  }, [live, missing]);
  const why = missing ? new Error("A part of it did not arrive: the portal is away, or was updated.") : error;
  return (
    <Failed
      error={why instanceof Error ? why : new Error(String(why))}
      what="this page"
      retry={() => location.reload()}
    />
  );
}
