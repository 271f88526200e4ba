import { Paper, Text } from "@mantine/core";
import { IconActivity } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Empty, Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import classes from "./Admin.module.css";
import { activityQuery } from "./calls";

/** What people did lately, in a few words. */
export default function Activity() {
  const activity = useQuery(activityQuery);
  if (activity.isPending) return <Loading rows={8} />;
  if (activity.error && !activity.data)
    return <Failed error={activity.error} what="the activity" retry={activity.refetch} />;
  const list = activity.data?.activities ?? [];
  if (list.length === 0)
    return (
      <Empty icon={<IconActivity size={32} stroke={1.4} />} title="Nothing has happened yet">
        Sign-ins, deploys and changes appear here as they happen.
      </Empty>
    );
  return (
    <Paper>
      {list.map((one) => (
        <div key={one.id} className={classes.line} data-activity={one.action}>
          <Text size="sm" fw={550} span>
            {one.username}
          </Text>
          <Text size="sm" span flex={1} miw={200}>
            {one.detail}
          </Text>
          <Text size="xs" c="dimmed" span>
            {one.ip_address && `${one.ip_address} · `}
            <When at={one.created_at} />
          </Text>
        </div>
      ))}
    </Paper>
  );
}
